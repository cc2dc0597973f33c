"""The tables of measurements, of their sources and of the alerts that hold."""

from __future__ import annotations

from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="MeasurementSource",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("sampled_at", models.DateTimeField(db_index=True)),
                ("totals", models.JSONField(default=dict)),
            ],
            options={"db_table": "measurement_source", "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="Measurement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.TextField()),
                ("at", models.DateTimeField()),
                ("seconds", models.FloatField()),
                ("is_summary", models.BooleanField(default=False)),
                ("counters", models.JSONField(default=dict)),
                ("gauges", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "measurement",
                "verbose_name_plural": "performance",
                "db_table": "measurement",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["source", "is_summary", "-at"], name="measurement_summed_until")],
                "constraints": [
                    models.UniqueConstraint(fields=("is_summary", "at", "source"), name="measurement_once"),
                    models.CheckConstraint(condition=models.Q(("seconds__gt", 0)), name="measurement_takes_time"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
                ("labels", models.JSONField(default=dict)),
                ("value", models.FloatField()),
                ("holds_since", models.DateTimeField()),
                ("firing_since", models.DateTimeField(blank=True, null=True)),
                ("judged_at", models.DateTimeField()),
            ],
            options={
                "db_table": "alert_state",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("name", "labels"), name="alert_state_once")],
            },
        ),
    ]
