"""Creates notes and attached files, of which rows are only ever added."""

from __future__ import annotations

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

from kernel.migrations import AppendOnly, TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("object_type", models.TextField()),
                ("object_id", models.TextField()),
                ("object_label", models.TextField(blank=True, default="")),
                ("name", models.TextField()),
                ("media_type", models.TextField()),
                ("holds_formulas", models.BooleanField(default=False)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("content", models.BinaryField()),
                ("uploaded_by", models.TextField()),
                (
                    "uploader_kind",
                    models.TextField(
                        choices=[
                            ("staff", "staff"),
                            ("api_client", "api client"),
                            ("system", "system"),
                            ("command", "command"),
                        ]
                    ),
                ),
                ("uploaded_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "attached file",
                "db_table": "attachment",
                "default_permissions": ("view", "add"),
                "indexes": [models.Index(fields=["name"], name="attachment_name")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("object_type", "object_id", "sha256"), name="attachment_once_on_a_record"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("size__gt", 0),
                            (
                                "size",
                                models.Func(
                                    models.F("content"), function="octet_length", output_field=models.BigIntegerField()
                                ),
                            ),
                            (
                                "sha256",
                                models.Func(
                                    models.Func(models.F("content"), function="sha256"),
                                    models.Value("hex"),
                                    function="encode",
                                    output_field=models.TextField(),
                                ),
                            ),
                        ),
                        name="attachment_is_what_it_says",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True),
                            models.Q(("uploaded_by", ""), _negated=True),
                            models.Q(("object_type", ""), _negated=True),
                            models.Q(("object_id", ""), _negated=True),
                        ),
                        name="attachment_named",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("object_type", models.TextField()),
                ("object_id", models.TextField()),
                ("object_label", models.TextField(blank=True, default="")),
                ("body", models.TextField()),
                ("author", models.TextField()),
                (
                    "author_kind",
                    models.TextField(
                        choices=[
                            ("staff", "staff"),
                            ("api_client", "api client"),
                            ("system", "system"),
                            ("command", "command"),
                        ]
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "strikes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="struck_by",
                        to="notes.note",
                    ),
                ),
            ],
            options={
                "db_table": "note",
                "permissions": [("strike_note", "Can strike a mistaken note")],
                "default_permissions": ("view", "add"),
                "indexes": [
                    models.Index(fields=["object_type", "object_id", "-id"], name="note_object"),
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.search.SearchVector("body", config="english"), name="note_words"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("body", ""), _negated=True),
                            models.Q(("author", ""), _negated=True),
                            models.Q(("object_type", ""), _negated=True),
                            models.Q(("object_id", ""), _negated=True),
                        ),
                        name="note_says_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            django.db.models.lookups.LessThanOrEqual(
                                django.db.models.functions.text.Length("body"), 4096
                            )
                        ),
                        name="note_not_too_long",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("strikes", None), models.Q(("strikes", models.F("id")), _negated=True), _connector="OR"
                        ),
                        name="note_strikes_another",
                    ),
                ],
            },
        ),
        AppendOnly("attachment"),
        AppendOnly("note"),
    ]
