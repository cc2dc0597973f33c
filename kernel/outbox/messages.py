"""An event as a Kafka message: CloudEvents 1.0 in binary mode, attributes in the headers, the body as the value."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel.outbox.queue import QueuedEvent

# bigint has at most 19 digits; with zeros in front, text order is number order, as the sequence extension asks.
SEQUENCE_DIGITS = 19
SPEC_VERSION = ("ce_specversion", b"1.0")
CONTENT_TYPE = ("content-type", b"application/json")


def headers_of(event: QueuedEvent) -> list[tuple[str, str | bytes | None]]:
    """The attributes as the Kafka binding of CloudEvents names them: `ce_` in front, content-type by itself."""
    headers: list[tuple[str, str | bytes | None]] = [
        SPEC_VERSION,
        ("ce_id", str(event.event_id)),
        ("ce_type", event.event_type),
        ("ce_source", event.source),
        ("ce_time", event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")),
        ("ce_sequence", str(event.position).zfill(SEQUENCE_DIGITS)),
        CONTENT_TYPE,
    ]
    if event.subject:
        headers.append(("ce_subject", event.subject))
    if event.is_replay:
        # An attribute of our own, as CloudEvents allows: the same event, with the same id, once more.
        headers.append(("ce_replayed", "true"))
    return headers
