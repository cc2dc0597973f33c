"""Creates the table of what the last look at each invariant saw."""

from __future__ import annotations

import django.core.serializers.json
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="InvariantOutcome",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("sentence", models.TextField()),
                ("checked_at", models.DateTimeField()),
                ("seconds", models.FloatField()),
                ("looked_at", models.BigIntegerField(help_text="Records looked at.")),
                ("broken", models.BigIntegerField(help_text="Records that break it.")),
                ("unresolved", models.BigIntegerField(help_text="Records that cannot be judged.")),
                (
                    "breaches",
                    models.JSONField(
                        default=list,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="The first of them: id, sentence.",
                    ),
                ),
            ],
            options={
                "verbose_name": "invariant",
                "db_table": "invariant_outcome",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("broken__gte", 0), ("looked_at__gte", 0), ("unresolved__gte", 0)),
                        name="invariant_outcome_counts",
                    )
                ],
            },
        ),
    ]
