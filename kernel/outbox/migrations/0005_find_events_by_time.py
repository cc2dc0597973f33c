"""Finds a range of time among the events, without keeping a writer waiting."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("outbox", "0004_add_replays")]

    operations = [
        TimeLimits(),
        AddIndexConcurrently(
            model_name="outboxevent",
            index=BrinIndex(fields=["occurred_at"], name="outbox_event_when", pages_per_range=32, autosummarize=True),
        ),
    ]
