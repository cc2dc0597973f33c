"""Lets a delivery say that it is a replay, and keeps the replays that were approved."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_protect_requests"), ("outbox", "0003_let_retired_events_go")]

    operations = [
        TimeLimits(),
        migrations.AddField(model_name="outboxdelivery", name="is_replay", field=models.BooleanField(db_default=False)),
        migrations.CreateModel(
            name="OutboxReplay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "approval",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.approvalrequest"
                    ),
                ),
                ("requested_by", models.TextField()),
                ("reason", models.TextField()),
                ("from_at", models.DateTimeField()),
                ("to_at", models.DateTimeField()),
                ("key", models.CharField(blank=True, default="", max_length=200)),
                ("event_type", models.CharField(blank=True, default="", max_length=100)),
                ("first_position", models.BigIntegerField()),
                ("highest_position", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("rate", models.IntegerField()),
                ("created_at", models.DateTimeField()),
                ("reached_position", models.BigIntegerField()),
                ("queued", models.BigIntegerField(default=0)),
                ("already_waiting", models.BigIntegerField(default=0)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("run_id", models.UUIDField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "replay",
                "db_table": "outbox_replay",
                "permissions": [("approve_replay", "Can approve that more than 100 events are sent again")],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("already_waiting__gte", 0),
                            ("count__gt", 0),
                            ("queued__gte", 0),
                            ("rate__gt", 0),
                            ("count__gte", models.F("queued") + models.F("already_waiting")),
                        ),
                        name="outbox_replay_within_its_count",
                    )
                ],
            },
        ),
    ]
