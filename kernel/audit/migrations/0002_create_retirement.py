"""Creates the record of the seals whose rows were deleted because they were old; append-only as the seals are."""

from __future__ import annotations

import datetime

from django.db import migrations, models

from kernel.migrations import AppendOnly, TimeLimits


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_create_audit")]

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="AuditRetirement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("operation", models.UUIDField(db_index=True)),
                ("seal_sequence", models.BigIntegerField(unique=True)),
                ("source", models.TextField()),
                ("retired_at", models.DateTimeField()),
                ("first_recorded_at", models.DateTimeField()),
                ("last_recorded_at", models.DateTimeField()),
                ("entry_count", models.BigIntegerField()),
                ("content_digest", models.BinaryField()),
                ("counts", models.JSONField(default=dict)),
                ("job_run_id", models.UUIDField()),
            ],
            options={
                "verbose_name": "retired seal",
                "db_table": "audit_retirement",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["source", "-id"], name="audit_retirement_source")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("retired_at__gte", models.F("last_recorded_at") + datetime.timedelta(days=30))
                        ),
                        name="audit_retirement_old_enough",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("entry_count__gt", 0)), name="audit_retirement_not_empty"
                    ),
                ],
            },
        ),
        AppendOnly("audit_retirement"),
    ]
