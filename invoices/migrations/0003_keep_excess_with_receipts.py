"""What came above what an invoice could take stands on its receipt, and the credit that holds it names the receipt."""

from __future__ import annotations

from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import kernel.fields
from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("invoices", "0002_permit_asking_outside")]

    operations = [
        TimeLimits(),
        migrations.AddField(
            model_name="receipt",
            name="excess",
            field=kernel.fields.MoneyField(
                db_default=Decimal("0.00"), decimal_places=2, default=Decimal("0.00"), max_digits=15
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(("excess__gte", 0)), name="receipt_excess_not_negative"
            ),
        ),
        migrations.AddField(
            model_name="credit",
            name="receipt",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit",
                to="invoices.receipt",
            ),
        ),
    ]
