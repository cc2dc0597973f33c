"""The tables of the audit: entries and the chain of seals, both append-only from the first row."""

from __future__ import annotations

import django.core.serializers.json
from django.db import migrations, models

import kernel.fields
from kernel.migrations import AppendOnly, TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recorded_at", models.DateTimeField()),
                ("actor", models.TextField()),
                (
                    "actor_kind",
                    models.TextField(
                        choices=[
                            ("staff", "staff"),
                            ("api_client", "api client"),
                            ("system", "system"),
                            ("command", "command"),
                        ]
                    ),
                ),
                ("user_id", models.BigIntegerField(blank=True, null=True)),
                ("action", models.TextField()),
                ("object_type", models.TextField()),
                ("object_id", models.TextField()),
                ("object_label", models.TextField(blank=True, default="")),
                ("reason", models.TextField(blank=True, default="")),
                (
                    "before",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                (
                    "after",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                ("request_id", models.TextField(blank=True, default="")),
                ("change_set", models.UUIDField(blank=True, null=True)),
                (
                    "source",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "db_table": "audit_entry",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["object_type", "object_id", "-id"], name="audit_entry_object"),
                    models.Index(fields=["actor", "-id"], name="audit_entry_actor"),
                    models.Index(fields=["action", "-id"], name="audit_entry_action"),
                    models.Index(
                        condition=models.Q(("change_set__isnull", False)),
                        fields=["change_set"],
                        name="audit_entry_change_set",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("actor_kind__in", ["staff", "api_client", "system", "command"])),
                        name="audit_entry_actor_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("actor", ""), _negated=True),
                            models.Q(("action", ""), _negated=True),
                            models.Q(("object_type", ""), _negated=True),
                        ),
                        name="audit_entry_says_who_and_what",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("sequence", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sealed_at", models.DateTimeField()),
                ("source", models.TextField()),
                ("positions", kernel.fields.PositionsField()),
                ("high_water", models.BigIntegerField()),
                ("entry_count", models.BigIntegerField()),
                ("content_digest", models.BinaryField()),
                ("fingerprints", models.BinaryField()),
                ("previous_hash", models.BinaryField()),
                ("hash", models.BinaryField(unique=True)),
            ],
            options={
                "db_table": "audit_seal",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["source", "-sequence"], name="audit_seal_source")],
            },
        ),
        AppendOnly("audit_entry"),
        AppendOnly("audit_seal"),
    ]
