"""Creates the events, their queue, and the log of what was published."""

from __future__ import annotations

import django.contrib.postgres.indexes
import django.db.models.functions.datetime
from django.db import migrations, models

import kernel.fields
from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField(unique=True)),
                ("event_type", models.CharField(max_length=100)),
                ("source", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("topic", models.CharField(max_length=200)),
                ("key", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("occurred_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "outbox event",
                "db_table": "outbox_event",
                "permissions": [("replay_event", "Can send delivered events again")],
            },
        ),
        migrations.CreateModel(
            name="OutboxDelivery",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=200)),
                ("attempts", models.IntegerField(db_default=0)),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True, db_default="")),
                ("queued_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name": "waiting delivery",
                "verbose_name_plural": "waiting deliveries",
                "db_table": "outbox_delivery",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_attempt_at__isnull", False)),
                        fields=["key", "position"],
                        name="outbox_delivery_backing_off",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("attempts__gte", 0)), name="outbox_delivery_attempts_counted"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboxPublication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("published_at", models.DateTimeField()),
                ("topic", models.CharField(max_length=200)),
                ("events", models.IntegerField()),
                ("positions", kernel.fields.PositionsField()),
            ],
            options={
                "verbose_name": "publication",
                "db_table": "outbox_publication",
                "indexes": [
                    django.contrib.postgres.indexes.GistIndex(
                        fields=["positions"], name="outbox_publication_positions"
                    ),
                    models.Index(fields=["published_at"], name="outbox_publication_when"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("events__gt", 0)), name="outbox_publication_not_empty")
                ],
            },
        ),
    ]
