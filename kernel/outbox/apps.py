"""The outbox application."""

from __future__ import annotations

from django.apps import AppConfig

from kernel.audit.sources import SealedSource, register_source

SEALED = SealedSource(
    name="outbox_event",
    table="outbox_event",
    position="position",
    recorded_at="entry.occurred_at",
    content=(
        "entry.position",
        "entry.event_id",
        "entry.event_type",
        "entry.source",
        "entry.subject",
        "entry.topic",
        "entry.key",
        "entry.body",
        "extract(epoch from entry.occurred_at)",
    ),
)


class OutboxConfig(AppConfig):
    name = "kernel.outbox"
    label = "outbox"
    verbose_name = "Events"

    def ready(self) -> None:
        register_source(SEALED)
