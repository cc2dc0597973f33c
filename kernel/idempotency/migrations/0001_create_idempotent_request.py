"""Creates the requests under Idempotency-Keys, with the answers that their repeats get."""

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
            name="IdempotentRequest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("caller_kind", models.CharField(max_length=40)),
                ("caller_id", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=255)),
                ("method", models.CharField(max_length=10)),
                ("path", models.TextField()),
                ("content_sha256", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(choices=[("running", "running"), ("answered", "answered")], max_length=10),
                ),
                (
                    "subject",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                ("attempts", models.PositiveIntegerField(default=1)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("status_code", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "headers",
                    models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                ("body", models.BinaryField(default=b"")),
                ("created_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "idempotent request",
                "db_table": "idempotent_request",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["created_at"], name="idempotent_request_created_at")],
                "constraints": [
                    models.UniqueConstraint(fields=("caller_kind", "caller_id", "key"), name="idempotent_request_key"),
                    models.CheckConstraint(
                        condition=models.Q(("key__regex", "^[\\x20-\\x7e]{1,255}$")),
                        name="idempotent_request_key_printable",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("completed_at__isnull", False),
                                ("lease_until__isnull", True),
                                ("state", "answered"),
                                ("status_code__isnull", False),
                            ),
                            models.Q(
                                ("completed_at__isnull", True),
                                ("lease_until__isnull", False),
                                ("state", "running"),
                                ("status_code__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="idempotent_request_state",
                    ),
                ],
            },
        ),
    ]
