"""The index of what may be overdue also holds what is paid in part."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("invoices", "0003_keep_excess_with_receipts")]

    operations = [
        TimeLimits(),
        AddIndexConcurrently(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("payment_method", "EFT"), ("status__in", ["APPROVED", "PARTIAL_PAID"])),
                fields=["overdue_date"],
                name="invoice_due",
            ),
        ),
        RemoveIndexConcurrently(model_name="invoice", name="invoice_overdue"),
    ]
