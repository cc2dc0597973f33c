"""A card payment is of something: the database itself refuses one of nothing or less."""

from __future__ import annotations

from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("invoices", "0006_tell_deciders_apart_by_kind")]

    operations = [
        TimeLimits(),
        migrations.AddConstraint(
            model_name="cardattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="card_attempt_amount_positive"
            ),
        ),
    ]
