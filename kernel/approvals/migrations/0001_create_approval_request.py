"""Creates the requests that a second person must agree to."""

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
            name="ApprovalRequest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("content", models.TextField()),
                ("content_hash", models.CharField(max_length=64)),
                ("summary", models.TextField()),
                ("requested_by_id", models.BigIntegerField()),
                ("requested_by", models.TextField()),
                ("reason", models.TextField()),
                ("ticket", models.TextField(blank=True, default="")),
                ("requested_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("pending", "pending"),
                            ("approved", "approved"),
                            ("refused", "refused"),
                            ("withdrawn", "withdrawn"),
                            ("expired", "expired"),
                            ("executed", "executed"),
                        ]
                    ),
                ),
                ("status_since", models.DateTimeField()),
                ("decided_by_id", models.BigIntegerField(blank=True, null=True)),
                ("decided_by", models.TextField(blank=True, default="")),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision_reason", models.TextField(blank=True, default="")),
                ("run_id", models.UUIDField(blank=True, null=True)),
                (
                    "result",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
            ],
            options={
                "verbose_name": "request for approval",
                "verbose_name_plural": "requests for approval",
                "db_table": "approval_request",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-requested_at"], name="approval_request_requested_at"),
                    models.Index(
                        condition=models.Q(("status__in", ["approved", "pending"])),
                        fields=["expires_at"],
                        name="approval_request_live",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["pending", "approved", "refused", "withdrawn", "expired", "executed"])
                        ),
                        name="approval_request_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by_id__isnull", True),
                            models.Q(
                                models.Q(("decided_by_id", models.F("requested_by_id")), _negated=True),
                                models.Q(("decided_by", models.F("requested_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="approval_request_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status__in", ["approved", "executed", "refused"]), _negated=True),
                            models.Q(
                                ("decided_by_id__isnull", False),
                                models.Q(("decided_by", ""), _negated=True),
                                ("decided_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="approval_request_decided_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "content_hash",
                                models.Func(
                                    models.Func(
                                        models.Func(models.F("content"), models.Value("UTF8"), function="convert_to"),
                                        function="sha256",
                                    ),
                                    models.Value("hex"),
                                    function="encode",
                                    output_field=models.TextField(),
                                ),
                            )
                        ),
                        name="approval_request_hash_of_content",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True),
                            models.Q(("requested_by", ""), _negated=True),
                            ("expires_at__gt", models.F("requested_at")),
                        ),
                        name="approval_request_says_why",
                    ),
                ],
            },
        ),
    ]
