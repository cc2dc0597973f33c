"""Sending chosen events again: at once up to the limit of one person, beyond it with a second person's approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from kernel.approvals.models import ApprovalRequest
from kernel.approvals.operations import request_approval
from kernel.approvals.registry import ApprovalKind, Content, Execution
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.calendar import ledger_zone
from kernel.errors import Conflict, NotFound
from kernel.jobs.models import JobRun
from kernel.jobs.operations import queue_job
from kernel.outbox.display import masked_key
from kernel.outbox.models import OutboxEvent, OutboxReplay
from kernel.outbox.operations import REPLAY_LIMIT, ReplayRefused, note_replayed, queue_again, replayed_recently
from kernel.outbox.selection import EventFilter, Selection, same_again
from kernel.outbox.wakeup import wake_relay
from kernel.transactions import inside_unit_of_work, unit_of_work

REPLAY_KIND = "replay-events"
REPLAY_JOB = "replay_events"
DEFAULT_RATE = 200
RATE_LIMIT = 2000


class SelectionChanged(Conflict):
    """The choice holds other events than when it was looked at."""

    code = "selection-changed"
    next_step = "Look at the choice again."


class ReplayUnderWay(Conflict):
    """A job run is at this replay already, or it is finished."""

    code = "replay-under-way"
    next_step = "Wait for its job run, or cancel that."


class NoSuchReplay(NotFound):
    """There is no replay of this number."""

    code = "unknown-replay"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a wish to replay: `queued` now, `waiting` anyway, or `approval` asked for and nothing done yet."""

    queued: int = 0
    waiting: int = 0
    approval: ApprovalRequest | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What this person may do without asking: how many events they sent again within the hour, and what is left."""

    recently: int

    def needs_approval(self, count: int) -> bool:
        return count + self.recently > REPLAY_LIMIT


@unit_of_work
def allowance(actor: Actor, *, at: datetime) -> Allowance:
    """What is left of this actor's limit of REPLAY_LIMIT events an hour."""
    return Allowance(replayed_recently(actor, at=at))


@unit_of_work
def replay_selection(
    selection: Selection,
    *,
    rate: int = DEFAULT_RATE,
    actor: Actor,
    reason: str,
    ticket: str = "",
    at: datetime,
    is_rehearsal: bool = False,
) -> Outcome:
    """Queues the selected events again, or asks for approval when they are more than the actor may send by themselves.

    A rehearsal does all of it and takes it back. Raises ReplayRefused without events, a reason or a possible rate,
    SelectionChanged when the selection is not what it was, and as request_approval does.
    """
    if not selection.count or not reason.strip() or not 1 <= rate <= RATE_LIMIT:
        raise ReplayRefused(f"Choose at least one event, a rate from 1 to {RATE_LIMIT:,} a second, and say why.")
    recently = replayed_recently(actor, at=at)
    if same_again(selection) != selection:
        raise SelectionChanged
    if Allowance(recently).needs_approval(selection.count):
        outcome = _ask(selection, rate=rate, actor=actor, reason=reason, ticket=ticket, at=at)
    else:
        outcome = _replay_now(selection, actor=actor, reason=reason, at=at)
    if is_rehearsal:
        connection.set_rollback(True)
    return outcome


def describe(content: Content) -> str:
    """The content of a request in words and figures: for the list its first line, for the record all of it."""
    selection = Selection.from_content(content)
    chosen = selection.filter
    whose = f" of account {masked_key(chosen.key)}" if chosen.key else ""
    what = f" {chosen.event_type}" if chosen.event_type else ""
    seconds = selection.count / content["rate"]
    begins, ends = (at.astimezone(ledger_zone()) for at in (chosen.from_at, chosen.to_at))
    return (
        f"{selection.count:,}{what} events{whose} are sent again, from {begins:%Y-%m-%d %H:%M:%S} to "
        f"{ends:%Y-%m-%d %H:%M:%S %Z}.\n"
        f"They are queued at {content['rate']:,} a second, in about {_length(seconds)}, with the ids they always had: "
        "readers that know an id ignore it."
    )


def current(content: Content) -> Content:
    """The content anew: what the frozen filter gives at this moment."""
    return same_again(Selection.from_content(content)).as_content() | {"rate": content["rate"]}


@inside_unit_of_work
def begin(content: Content, execution: Execution) -> dict[str, Any]:
    """Makes the replay that was approved and queues its job: once, because an approval has one replay at the most."""
    selection = Selection.from_content(content)
    chosen = selection.filter
    replay = OutboxReplay.objects.create(
        approval_id=execution.request_id,
        requested_by=execution.requested_by,
        reason=execution.reason,
        from_at=chosen.from_at,
        to_at=chosen.to_at,
        key=chosen.key,
        event_type=chosen.event_type,
        first_position=selection.first_position,
        highest_position=selection.highest_position,
        count=selection.count,
        digest=selection.digest,
        rate=content["rate"],
        created_at=execution.at,
        reached_position=selection.first_position - 1,
    )
    _queue_run(replay, actor=execution.actor, at=execution.at)
    return {"replay": replay.pk, "events": replay.count, "run": str(replay.run_id)}


REPLAYS = ApprovalKind(
    name=REPLAY_KIND,
    title="Send events again",
    may_request="outbox.replay_event",
    may_approve="outbox.approve_replay",
    current=current,
    summarise=describe,
    execute=begin,
)


@unit_of_work
def resume(replay_id: int, *, actor: Actor, reason: str, at: datetime) -> OutboxReplay:
    """Goes on with a replay whose run was cancelled or failed, after the last event that it queued.

    Raises NoSuchReplay, or ReplayUnderWay when it is finished or a run is at it.
    """
    replay = _locked(replay_id)
    if replay.finished_at is not None:
        raise ReplayUnderWay(f"Replay {replay.pk} is finished: {replay.queued:,} events were queued.")
    if replay.run_id is not None and JobRun.objects.live().filter(pk=replay.run_id).exists():
        raise ReplayUnderWay(f"Job run {replay.run_id} is at replay {replay.pk}.")
    _queue_run(replay, actor=actor, at=at)
    after = {"reached_position": replay.reached_position, "run": str(replay.run_id)}
    record_entry(actor=actor, action="replay.resumed", subject=replay, after=after, reason=reason.strip(), at=at)
    return replay


@dataclass(frozen=True, slots=True)
class Chunk:
    """One step of a replay: how many events it looked at, and whether none is left."""

    events: int
    is_last: bool


@unit_of_work
def queue_chunk(replay_id: int, *, most: int, at: datetime) -> Chunk:
    """Queues the next events of the replay, `most` at the most, and notes how far it is, in one transaction.

    Events that wait already stay as they are. Two that run at once take turns: no event is queued twice.
    """
    replay = _locked(replay_id)
    if replay.finished_at is not None:
        return Chunk(0, is_last=True)
    seen, queued, reached = _queue_after(replay, most)
    replay.queued += queued
    replay.already_waiting += seen - queued
    replay.reached_position = reached or replay.highest_position
    is_last = seen < most
    if is_last:
        replay.finished_at = at
        after = {"queued": replay.queued, "already_waiting": replay.already_waiting}
        record_entry(actor=Actor.system("replay"), action="replay.finished", subject=replay, after=after, at=at)
    replay.save()
    wake_relay()
    return Chunk(seen, is_last=is_last)


def find_replay(replay_id: int) -> OutboxReplay:
    """Raises NoSuchReplay."""
    replay = OutboxReplay.objects.filter(pk=replay_id).first()
    if replay is None:
        raise NoSuchReplay(f"There is no replay {replay_id}.")
    return replay


def _ask(selection: Selection, *, rate: int, actor: Actor, reason: str, ticket: str, at: datetime) -> Outcome:
    content: Mapping[str, Any] = selection.as_content() | {"rate": rate}
    return Outcome(approval=request_approval(REPLAY_KIND, content, actor=actor, reason=reason, ticket=ticket, at=at))


def _replay_now(selection: Selection, *, actor: Actor, reason: str, at: datetime) -> Outcome:
    events = list(OutboxEvent.objects.selected(selection.filter, up_to=selection.highest_position).order_by("position"))
    queued = queue_again(events)
    sent = [event for event in events if event.position in queued]
    note_replayed(sent, actor=actor, reason=reason, at=at)
    wake_relay()
    return Outcome(queued=len(sent), waiting=len(events) - len(sent))


def _queue_run(replay: OutboxReplay, *, actor: Actor, at: datetime) -> None:
    replay.run_id = queue_job(REPLAY_JOB, parameters={"replay_id": replay.pk}, actor=actor, at=at).pk
    replay.save()


def _queue_after(replay: OutboxReplay, most: int) -> tuple[int, int, int | None]:
    """Gives how many events were looked at, how many of them were queued, and the last position."""
    chosen = EventFilter(replay.from_at, replay.to_at, replay.key, replay.event_type)
    values = chosen.values | {"reached": replay.reached_position, "highest": replay.highest_position, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            with chunk as materialized (
                select position, key from outbox_event
                where {chosen.condition} and position > %(reached)s and position <= %(highest)s
                order by position limit %(most)s for key share
            ), queued as (
                insert into outbox_delivery (position, key, is_replay) select position, key, true from chunk
                on conflict (position) do nothing
                returning position
            )
            select count(*), (select count(*) from queued), max(position) from chunk
            """,  # noqa: S608 -- the condition is made of constants
            values,
        )
        seen, queued, reached = cursor.fetchone()
        return seen, queued, reached


def _locked(replay_id: int) -> OutboxReplay:
    replays = OutboxReplay.objects.lock([replay_id])
    if not replays:
        raise NoSuchReplay(f"There is no replay {replay_id}.")
    return replays[0]


def _length(seconds: float) -> str:
    return f"{max(round(seconds), 1)} s" if seconds < 120 else f"{round(seconds / 60)} min"
