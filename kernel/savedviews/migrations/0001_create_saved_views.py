"""Creates the saved views of lists."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_name", models.CharField(max_length=100)),
                ("name", models.CharField(help_text="What the tab says.", max_length=60)),
                (
                    "description",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="What it is for; shown when the pointer rests on the tab.",
                        max_length=200,
                    ),
                ),
                (
                    "query",
                    models.CharField(
                        help_text="The part of the list's address after the question mark.", max_length=2000
                    ),
                ),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody who may see the list gets this tab; only you can change it.",
                        verbose_name="shared",
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "saved view",
                "db_table": "saved_view",
                "default_permissions": ("view",),
                "permissions": [("share_savedview", "Can share a saved view with everybody")],
                "indexes": [models.Index(fields=["list_name", "name"], name="saved_view_list")],
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "list_name", "name"), name="saved_view_name"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True),
                            models.Q(("list_name", ""), _negated=True),
                            models.Q(("query", ""), _negated=True),
                        ),
                        name="saved_view_says_something",
                    ),
                ],
            },
        ),
    ]
