"""Writes of the outbox: announce an event, send delivered ones again. The relay does the rest (relay.py)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from kernel import exactjson
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, NotFound, Refused
from kernel.outbox.models import OutboxDelivery, OutboxEvent
from kernel.outbox.wakeup import wake_relay
from kernel.transactions import inside_unit_of_work, unit_of_work
from kernel.uuids import uuid7

__all__ = ["Event", "announce", "replay", "wake_relay"]

# What one person may send again by themselves within REPLAY_WINDOW.
REPLAY_LIMIT = 100
REPLAY_WINDOW = timedelta(hours=1)
REPLAYED = "event.replayed"
# "repl" in ASCII: with the actor's name, one lock for each of them.
REPLAY_LOCK = 0x7265706C


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
    """One person sends at most 100 events again within an hour; more needs a second person's approval."""

    code = "replay-needs-approval"
    next_step = "Choose them by time, account or type on the page Replays: there an approval is asked for."


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

    All or none. Raises ReplayNeedsApproval above 100 events of one actor within an hour, NotFound for positions that
    no event has, StillWaiting with the positions of those that are not delivered yet, ReplayRefused without events or
    a reason.
    """
    wanted = sorted(set(positions))
    if not wanted or not reason.strip():
        raise ReplayRefused("Choose at least one event and say why it is sent again.")
    recently = replayed_recently(actor, at=at)
    if len(wanted) + recently > REPLAY_LIMIT:
        before = f" {recently} were sent again by {actor} within the last hour." if recently else ""
        raise ReplayNeedsApproval(f"{len(wanted)} events need a second person's approval.{before}", count=len(wanted))
    # Locked, so that no event is retired while it is queued again.
    events = OutboxEvent.objects.lock(wanted)
    if missing := sorted(set(wanted) - {event.position for event in events}):
        raise NotFound(f"There is no event at {_listed(missing)}.", positions=missing)
    queued = queue_again(events)
    if waiting := sorted(set(wanted) - queued):
        raise StillWaiting(f"Not delivered yet: {_listed(waiting)}.", positions=waiting)
    note_replayed(events, actor=actor, reason=reason, at=at)
    wake_relay()
    return len(events)


@inside_unit_of_work
def replayed_recently(actor: Actor, *, at: datetime) -> int:
    """How many events this actor has sent again within the last hour without an approval.

    Holds the actor's others off until the unit of work ends, so that two at once cannot both stay below the limit.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [REPLAY_LOCK, actor.name])
    sent = AuditEntry.objects.filter(actor=actor.name, action=REPLAYED, recorded_at__gt=at - REPLAY_WINDOW)
    return sent.count()


@inside_unit_of_work
def note_replayed(events: Collection[OutboxEvent], *, actor: Actor, reason: str, at: datetime) -> None:
    """Notes each of the events as sent again; the limit of an hour counts these entries."""
    for event in events:
        record_entry(actor=actor, action=REPLAYED, subject=event, reason=reason.strip(), at=at)


@inside_unit_of_work
def queue_again(events: Collection[OutboxEvent]) -> set[int]:
    """Queues what is not queued yet and gives those positions: the primary key decides, not a look first."""
    with connection.cursor() as cursor:
        cursor.execute(
            # The locks keep an event from being retired between the look and the commit.
            """
            with kept as materialized (
                select position, key from outbox_event where position = any(%s) order by position for key share
            )
            insert into outbox_delivery (position, key, is_replay) select position, key, true from kept
            on conflict (position) do nothing returning position
            """,
            [[event.position for event in events]],
        )
        return {position for (position,) in cursor.fetchall()}


def _listed(positions: list[int]) -> str:
    shown = ", ".join(str(position) for position in positions[:10])
    return shown if len(positions) <= 10 else f"{shown} and {len(positions) - 10} more"
