"""Lets an API client stand where so far only a person could: beside each name, of what kind it is."""

from __future__ import annotations

from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_protect_requests")]

    operations = [
        TimeLimits(),
        # The rows that are there were asked for by staff; a default in the database fills them without a rewrite.
        migrations.AddField(
            model_name="approvalrequest", name="requested_by_kind", field=models.TextField(db_default="staff")
        ),
        migrations.AddField(
            model_name="approvalrequest", name="decided_by_kind", field=models.TextField(blank=True, db_default="")
        ),
        migrations.AlterField(
            model_name="approvalrequest", name="requested_by_id", field=models.BigIntegerField(blank=True, null=True)
        ),
    ]
