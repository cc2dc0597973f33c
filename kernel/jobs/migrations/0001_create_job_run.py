"""The table of job runs."""

from __future__ import annotations

import uuid

import django.core.serializers.json
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("requested_by", models.TextField()),
                (
                    "parameters",
                    models.JSONField(blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                ("exclusive", models.BooleanField(default=False)),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ]
                    ),
                ),
                ("status_since", models.DateTimeField()),
                ("phase", models.TextField(blank=True, default="")),
                ("done", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField(blank=True, null=True)),
                ("rate_per_second", models.FloatField(blank=True, null=True)),
                (
                    "result",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                ("error", models.TextField(blank=True, default="")),
                ("queued_at", models.DateTimeField()),
                ("enqueued_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "job_run",
                "permissions": [("request_job", "Can start a job"), ("cancel_job", "Can cancel a job")],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-queued_at"], name="job_run_queued_at"),
                    models.Index(fields=["name", "-queued_at"], name="job_run_name"),
                    models.Index(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=["status", "queued_at"],
                        name="job_run_live",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["queued", "running", "succeeded", "failed", "cancelled"])),
                        name="job_run_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("done__gte", 0), models.Q(("total__lt", 0), _negated=True)),
                        name="job_run_progress_counts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "running"), _negated=True),
                            ("heartbeat_at__isnull", False),
                            _connector="OR",
                        ),
                        name="job_run_running_has_heartbeat",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("exclusive", True), ("status__in", ["queued", "running"])),
                        fields=("name",),
                        name="job_run_one_live_exclusive",
                    ),
                ],
            },
        ),
    ]
