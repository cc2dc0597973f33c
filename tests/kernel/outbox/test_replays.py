"""Replay by filter: what is chosen, what is sent at once, and what is asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import Message
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from kernel.approvals.models import ApprovalRequest
from kernel.approvals.operations import NotYours, OwnRequest, approve
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from kernel.outbox import operations
from kernel.outbox.models import OutboxDelivery, OutboxEvent, OutboxReplay
from kernel.outbox.operations import ReplayNeedsApproval, ReplayRefused
from kernel.outbox.relay import Relay
from kernel.outbox.replays import (
    SelectionChanged,
    replay_selection,
)
from kernel.outbox.selection import EventFilter, FilterUnfit, Selection, SelectionTooLarge, preview, select
from kernel.outbox.tail import headers_of_message
from tests.kernel.outbox.choosing import DAY, asked_for, now, queued, today
from tests.kernel.outbox.conftest import numbers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("told")]
QueueEvents = Callable[..., list[int]]


def test_a_choice_is_counted_by_time_account_and_type(queue_events: QueueEvents, topic: str) -> None:
    positions = queue_events(9, keys=("A-1", "A-2", "A-3"))
    Relay().drain()
    whole = preview(today())
    assert whole.selection is not None
    assert (whole.count, whole.keys, whole.waiting) == (9, 3, 0)
    assert (whole.first, whole.last) == (tuple(positions[:3]), tuple(positions[-3:]))
    assert (whole.selection.first_position, whole.selection.highest_position) == (positions[0], positions[-1])
    assert preview(today(key="A-2")).count == 3
    assert preview(today(event_type="thing.happened")).count == 9
    assert preview(today(event_type="other")).count == 0
    past = EventFilter(now() - 3 * DAY, now() - 2 * DAY)
    assert (preview(past).count, preview(past).first) == (0, ())
    with pytest.raises(FilterUnfit):
        EventFilter(now(), now() - DAY)


def test_the_count_stops_at_its_limit_and_says_what_postgresql_estimates(
    queue_events: QueueEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_events(30)
    found = preview(today(), limit=10)
    assert found.selection is None
    assert found.count >= 11
    assert preview(today(), limit=30).count == 30
    monkeypatch.setattr(preview, "__kwdefaults__", {"up_to": None, "limit": 10})
    with pytest.raises(SelectionTooLarge, match="holds about"):
        select(today())


def test_a_frozen_choice_leaves_out_what_comes_later(queue_events: QueueEvents) -> None:
    positions = queue_events(5)
    chosen = today()
    frozen = select(chosen)
    queue_events(3, starting_at=5)
    assert select(chosen, up_to=positions[-1]) == frozen
    assert select(chosen).count == 8
    assert Selection.from_content(frozen.as_content()) == frozen


def test_up_to_a_hundred_delivered_events_go_out_again_with_their_ids_and_say_so(
    queue_events: QueueEvents, operator: User, published: Callable[..., list[Message]]
) -> None:
    queue_events(20, keys=("A-1", "A-2"))
    Relay().drain()
    selection = select(today(key="A-1"))
    outcome = replay_selection(selection, actor=Actor.staff(operator), reason="reader lost A-1", at=now())
    assert (outcome.queued, outcome.waiting, outcome.approval) == (10, 0, None)
    assert Relay().drain() == 10
    messages = published(30)
    assert len(messages) == 30
    ids = Counter(headers_of_message(message)["ce_id"] for message in messages)
    twice = {str(pk) for pk in OutboxEvent.objects.filter(key="A-1").values_list("event_id", flat=True)}
    assert {event_id for event_id, times in ids.items() if times == 2} == twice
    again = [message for message in messages if headers_of_message(message).get("ce_replayed") == "true"]
    assert {message.key() for message in again} == {b"A-1"}
    assert numbers(again) == sorted(numbers(again))
    assert len(again) == 10
    assert AuditEntry.objects.filter(action="event.replayed", reason="reader lost A-1").count() == 10


def test_what_waits_already_stays_as_it_is_and_is_not_counted_as_sent(
    queue_events: QueueEvents, operator: User
) -> None:
    queue_events(3)
    Relay().drain()
    waiting = queue_events(2, starting_at=3)
    outcome = replay_selection(select(today()), actor=Actor.staff(operator), reason="lost", at=now())
    assert (outcome.queued, outcome.waiting) == (3, 2)
    assert OutboxDelivery.objects.filter(position__in=waiting, is_replay=False).count() == 2
    assert OutboxDelivery.objects.filter(is_replay=True).count() == 3
    assert AuditEntry.objects.filter(action="event.replayed").count() == 3


def test_more_than_a_hundred_are_asked_for_and_nothing_is_sent(
    queue_events: QueueEvents, operator: User, told: list[Any]
) -> None:
    queue_events(101)
    Relay().drain()
    request = asked_for(operator)
    assert (request.kind, request.status, request.ticket) == ("replay-events", "pending", "T-1")
    assert request.summary.startswith("101 events are sent again")
    assert queued() == []
    assert told == []
    assert not OutboxReplay.objects.exists()


def test_small_calls_add_up_within_the_hour(queue_events: QueueEvents, operator: User, person: Any) -> None:
    queue_events(60, keys=("A-1",))
    queue_events(60, keys=("A-2",))
    Relay().drain()
    first, second = select(today(key="A-1")), select(today(key="A-2"))
    assert replay_selection(first, actor=Actor.staff(operator), reason="lost", at=now()).queued == 60
    Relay().drain()
    asked = replay_selection(second, actor=Actor.staff(operator), reason="lost", at=now())
    assert asked.approval is not None
    positions = list(OutboxEvent.objects.filter(key="A-2").values_list("position", flat=True))
    with pytest.raises(ReplayNeedsApproval, match="60 were sent again by operator within the last hour"):
        operations.replay(positions, actor=Actor.staff(operator), reason="lost", at=now())
    assert queued() == []
    later = now() + timedelta(minutes=61)
    assert replay_selection(second, actor=Actor.staff(operator), reason="lost", at=later).queued == 60
    Relay().drain()
    other = person("other", "replay_event")
    assert replay_selection(first, actor=Actor.staff(other), reason="lost", at=now()).queued == 60


def test_two_small_calls_at_once_do_not_both_stay_below_the_limit(queue_events: QueueEvents, operator: User) -> None:
    queue_events(80, keys=("A-1",))
    queue_events(80, keys=("A-2",))
    Relay().drain()
    barrier = threading.Barrier(2)
    outcomes: list[int] = []

    def run(key: str) -> None:
        try:
            selection = select(today(key=key))
            barrier.wait()
            outcome = replay_selection(selection, actor=Actor.staff(operator), reason="lost", at=now())
            outcomes.append(outcome.queued)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(key,)) for key in ("A-1", "A-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [0, 80]
    assert len(queued()) == 80
    assert ApprovalRequest.objects.count() == 1


def test_a_rehearsal_says_what_the_commit_does_and_does_nothing(queue_events: QueueEvents, operator: User) -> None:
    queue_events(7)
    Relay().drain()
    queue_events(2, starting_at=7)
    before, selection, actor = queued(), select(today()), Actor.staff(operator)
    rehearsed = replay_selection(selection, actor=actor, reason="lost", at=now(), is_rehearsal=True)
    assert queued() == before
    assert not AuditEntry.objects.exists()
    assert replay_selection(selection, actor=actor, reason="lost", at=now()) == rehearsed
    assert (rehearsed.queued, rehearsed.waiting) == (7, 2)


def test_nothing_without_events_a_reason_or_a_possible_rate(queue_events: QueueEvents, operator: User) -> None:
    queue_events(2)
    Relay().drain()
    actor, selection = Actor.staff(operator), select(today())
    with pytest.raises(ReplayRefused):
        replay_selection(selection, actor=actor, reason=" ", at=now())
    with pytest.raises(ReplayRefused):
        replay_selection(selection, rate=2001, actor=actor, reason="x", at=now())
    with pytest.raises(ReplayRefused):
        replay_selection(select(today(key="nobody")), actor=actor, reason="x", at=now())
    other = Selection(selection.filter, selection.first_position, selection.highest_position, 2, "0" * 64)
    with pytest.raises(SelectionChanged):
        replay_selection(other, actor=actor, reason="x", at=now())
    assert queued() == []


def test_who_may_not_replay_cannot_ask_and_who_asked_cannot_approve(
    queue_events: QueueEvents, approver: User, person: Callable[..., User]
) -> None:
    queue_events(101)
    with pytest.raises(NotYours):
        asked_for(approver)
    both = person("both", "replay_event", "approve_replay")
    request = asked_for(both)
    with pytest.raises(OwnRequest):
        approve(request.pk, actor=Actor.staff(both), at=now())
    assert not JobRun.objects.exists()


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    begins, ends = (now() - DAY).isoformat(), (now() + DAY).isoformat()
    call_command("replay_events", "--from", begins, "--to", ends, "--user", "operator", *arguments)
    return capsys.readouterr().out


def test_the_command_rehearses_sends_and_asks(
    queue_events: QueueEvents, operator: User, capsys: pytest.CaptureFixture[str]
) -> None:
    queue_events(40, keys=("A-1",))
    queue_events(101, keys=("A-2",))
    Relay().drain()
    said = command(capsys, "--account", "A-1", "--rehearse")
    assert "Rehearsal, nothing is done" in said
    assert "40 events are queued again, 0 waited already" in said
    assert queued() == []
    assert "40 events are queued again" in command(capsys, "--account", "A-1", "--reason", "lost")
    assert len(queued()) == 40
    said = command(capsys, "--account", "A-2", "--reason", "lost", "--rate", "50")
    request = ApprovalRequest.objects.get()
    assert f"/admin/approvals/approvalrequest/{request.pk}/change/" in said
    assert '"rate": 50' in request.content
    assert len(queued()) == 40
    assert "No event is chosen" in command(capsys, "--type", "other", "--reason", "x")


def test_the_command_refuses_who_may_not_and_what_it_cannot_read(
    queue_events: QueueEvents, operator: User, approver: User
) -> None:
    queue_events(1)
    range_of_time = ("--from", "2026-01-01", "--to", "2030-01-01", "--reason", "x")
    with pytest.raises(CommandError, match="no active user nobody"):
        call_command("replay_events", *range_of_time, "--user", "nobody")
    with pytest.raises(CommandError, match="approver may not"):
        call_command("replay_events", *range_of_time, "--user", "approver")
    with pytest.raises(CommandError, match="say why"):
        call_command("replay_events", *range_of_time[:4], "--user", "operator")
    with pytest.raises(CommandError, match="ends before it begins"):
        call_command("replay_events", "--from", "2026-02-01", "--to", "2026-01-01", "--user", "operator")
    with pytest.raises(CommandError, match="should be a moment"):
        call_command("replay_events", "--from", "yesterday", "--to", "2026-01-01", "--user", "operator")
