"""The outbox application."""

from __future__ import annotations

from django.apps import AppConfig

from kernel.approvals.registry import register_kind
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
    # What Kafka has confirmed and nobody has asked for again.
    retirable=(
        "(exists (select from outbox_publication publication where publication.positions @> entry.position)"
        " and not exists (select from outbox_delivery delivery where delivery.position = entry.position))"
    ),
    counted_by="entry.event_type",
)


class OutboxConfig(AppConfig):
    name = "kernel.outbox"
    label = "outbox"
    verbose_name = "Events"

    def ready(self) -> None:
        # Models can be imported only when every app is loaded.
        from kernel.outbox.replays import REPLAYS

        register_source(SEALED)
        register_kind(REPLAYS)
