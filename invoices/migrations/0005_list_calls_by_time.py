"""Lists card payments and calls to the outside by time without reading all of them."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("invoices", "0004_find_overdue_in_part_paid")]

    operations = [
        TimeLimits(),
        AddIndexConcurrently(
            model_name="cardattempt",
            index=models.Index(fields=["-started_at"], name="card_attempt_started"),
        ),
        AddIndexConcurrently(
            model_name="outsidecall",
            index=models.Index(fields=["-created_at"], name="outside_call_made"),
        ),
    ]
