"""Writes of the outbox: announce an event, send delivered ones again. The relay does the rest (relay.py)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from kernel import exactjson
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, NotFound, Refused
from kernel.outbox.models import OutboxDelivery, OutboxEvent
from kernel.outbox.wakeup import wake_relay
from kernel.transactions import inside_unit_of_work, unit_of_work
from kernel.uuids import uuid7

__all__ = ["Event", "announce", "replay", "wake_relay"]

REPLAY_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is told to others. Events of one `key` keep their order; Decimals in `body` stay exact."""

    event_type: str
    source: str
    subject: str
    topic: str
    key: str
    body: Mapping[str, Any]
    # Only where the body repeats the id; otherwise a time-ordered one is made.
    event_id: UUID | None = None


class ReplayRefused(Refused):
    """These events cannot be sent again."""

    code = "replay-refused"


class ReplayNeedsApproval(Refused):
    """Sending more than 100 events again needs a second person's approval, which is not available yet."""

    code = "replay-needs-approval"
    next_step = f"Choose at most {REPLAY_LIMIT} events."


class StillWaiting(Conflict):
    """An event that still waits for its delivery cannot be sent again."""

    code = "event-still-waiting"


@inside_unit_of_work
def announce(event: Event, *, at: datetime) -> OutboxEvent:
    """Records one event and queues it, in the transaction of what it reports; the relay is woken after the commit."""
    recorded = OutboxEvent.objects.create(
        event_id=event.event_id or uuid7(at),
        event_type=event.event_type,
        source=event.source,
        subject=event.subject,
        topic=event.topic,
        key=event.key,
        body=exactjson.dumps(event.body),
        occurred_at=at,
    )
    OutboxDelivery.objects.create(position=recorded.position, key=recorded.key)
    wake_relay()
    return recorded


@unit_of_work
def replay(positions: Collection[int], *, actor: Actor, reason: str, at: datetime) -> int:
    """Queues delivered events again, with the ids they always had, and gives their number.

    All or none. Raises ReplayNeedsApproval above 100 events, NotFound for positions that no event has, StillWaiting
    with the positions of those that are not delivered yet, ReplayRefused without events or a reason.
    """
    wanted = sorted(set(positions))
    if not wanted or not reason.strip():
        raise ReplayRefused("Choose at least one event and say why it is sent again.")
    if len(wanted) > REPLAY_LIMIT:
        raise ReplayNeedsApproval(count=len(wanted))
    events = list(OutboxEvent.objects.filter(position__in=wanted).order_by("position"))
    if missing := sorted(set(wanted) - {event.position for event in events}):
        raise NotFound(f"There is no event at {_listed(missing)}.", positions=missing)
    queued = _queue_again(events)
    if waiting := sorted(set(wanted) - queued):
        raise StillWaiting(f"Not delivered yet: {_listed(waiting)}.", positions=waiting)
    for event in events:
        record_entry(actor=actor, action="event.replayed", subject=event, reason=reason.strip(), at=at)
    wake_relay()
    return len(events)


def _queue_again(events: list[OutboxEvent]) -> set[int]:
    """Queues what is not queued yet and gives those positions: the primary key decides, not a look first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into outbox_delivery (position, key) select * from unnest(%s::bigint[], %s::text[])"
            " on conflict (position) do nothing returning position",
            [[event.position for event in events], [event.key for event in events]],
        )
        return {position for (position,) in cursor.fetchall()}


def _listed(positions: list[int]) -> str:
    shown = ", ".join(str(position) for position in positions[:10])
    return shown if len(positions) <= 10 else f"{shown} and {len(positions) - 10} more"
