"""An API client that is called as a member of staff is somebody else, for refunds too."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Q

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("invoices", "0005_list_calls_by_time")]

    operations = [
        TimeLimits(),
        migrations.AddField(
            model_name="refund",
            name="requested_by_kind",
            field=models.CharField(blank=True, db_default="", default="", max_length=10),
        ),
        migrations.AddField(
            model_name="refund",
            name="decided_by_kind",
            field=models.CharField(blank=True, db_default="", default="", max_length=10),
        ),
        migrations.RemoveConstraint(model_name="refund", name="refund_two_people"),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                name="refund_two_people",
                condition=Q(decided_by="")
                | ~Q(decided_by=F("requested_by"))
                | ~Q(decided_by_kind=F("requested_by_kind")),
            ),
        ),
    ]
