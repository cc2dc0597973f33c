"""The tables of API clients and their keys."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="ApiClient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
                ("contact_note", models.TextField(blank=True, default="")),
            ],
            options={
                "verbose_name": "API client",
                "db_table": "api_client",
                "default_permissions": ("view", "add", "change"),
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("prefix", models.CharField(max_length=8, unique=True)),
                ("secret_sha256", models.CharField(max_length=64)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), size=None),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="accounts.apiclient"
                    ),
                ),
                (
                    "replaced_by",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaces",
                        to="accounts.apikey",
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "db_table": "api_key",
                "permissions": [
                    ("issue_key", "Can issue an API key"),
                    ("rotate_key", "Can rotate an API key"),
                    ("revoke_key", "Can revoke an API key"),
                ],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("scopes__len__gt", 0)), name="api_key_has_scopes"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__isnull", True), ("expires_at__gt", models.F("created_at")), _connector="OR"
                        ),
                        name="api_key_expires_after_creation",
                    ),
                ],
            },
        ),
    ]
