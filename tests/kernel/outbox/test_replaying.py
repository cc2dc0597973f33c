"""An approved replay: exactly what was chosen, once, at its rate, stopped and gone on with."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Message
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from kernel.approvals.models import ApprovalRequest
from kernel.approvals.operations import ApprovalVoid, approve, execute
from kernel.approvals.registry import Execution
from kernel.audit.actors import Actor
from kernel.jobs.models import JobRun
from kernel.jobs.operations import run_job
from kernel.jobs.progress import JobCancelled, Progress
from kernel.jobs.states import JobStatus
from kernel.outbox.models import OutboxEvent, OutboxReplay
from kernel.outbox.relay import Relay
from kernel.outbox.replaying import run_replay
from kernel.outbox.replays import (
    ReplayUnderWay,
    begin,
    queue_chunk,
    resume,
)
from kernel.outbox.selection import select
from kernel.outbox.tail import headers_of_message
from kernel.transactions import unit_of_work
from tests.kernel.outbox.choosing import asked_for, now, queued, today
from tests.kernel.outbox.conftest import numbers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("told")]
QueueEvents = Callable[..., list[int]]


@pytest.fixture
def begun(queue_events: QueueEvents, operator: User, approver: User) -> Callable[..., tuple[OutboxReplay, list[int]]]:
    """Delivers so many events and has a replay of all of them approved and begun; its job has not run yet."""

    def made(count: int, *, rate: int = 2000, keys: tuple[str, ...] = ("A-1",)) -> tuple[OutboxReplay, list[int]]:
        positions = queue_events(count, keys=keys)
        Relay().drain()
        request = asked_for(operator, rate=rate)
        approve(request.pk, actor=Actor.staff(approver), at=now())
        execute(request.pk, at=now())
        return OutboxReplay.objects.get(approval=request), positions

    return made


def work(replay: OutboxReplay, **more: Any) -> dict[str, Any]:
    """Runs the replay here, without waiting: each nap turns the clock on."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    with Progress(uuid4()) as progress:
        return run_replay(progress, replay.pk, seconds=lambda: clock[0], sleep=more.get("sleep", sleep))


def test_an_approved_replay_sends_exactly_what_was_chosen_in_order_with_the_ids_it_had(
    begun: Any, published: Callable[..., list[Message]]
) -> None:
    replay, positions = begun(250, keys=("A-1", "A-2", "A-3"))
    before = Counter(str(pk) for pk in OutboxEvent.objects.values_list("event_id", flat=True))
    while not work_one(replay).is_last:
        Relay().drain()
    Relay().drain()
    messages = published(500)
    assert len(messages) == 500
    assert Counter(headers_of_message(message)["ce_id"] for message in messages) == before + before
    again = [message for message in messages if "ce_replayed" in headers_of_message(message)]
    assert len(again) == len(positions)
    for key in (b"A-1", b"A-2", b"A-3"):
        sent = numbers([message for message in again if message.key() == key])
        assert sent == sorted(sent)
    replay.refresh_from_db()
    assert (replay.queued, replay.already_waiting) == (250, 0)
    assert replay.finished_at is not None


def work_one(replay: OutboxReplay) -> Any:
    return queue_chunk(replay.pk, most=100, at=now())


def test_the_job_works_through_a_replay_and_the_worker_has_it_as_a_run(begun: Any) -> None:
    replay, positions = begun(130, rate=2000)
    assert run_job(replay.run_id) == JobStatus.SUCCEEDED
    assert queued() == positions
    assert JobRun.objects.get(pk=replay.run_id).result == {"queued": 130, "already_waiting": 0}


def test_a_cancelled_replay_goes_on_after_the_last_event_that_it_queued(begun: Any, operator: User) -> None:
    replay, positions = begun(250, rate=100)
    naps: list[float] = []

    def stop(seconds: float) -> None:
        naps.append(seconds)
        raise JobCancelled

    with pytest.raises(JobCancelled):
        work(replay, sleep=stop)
    assert queued() == positions[:50]
    Relay().drain()
    with pytest.raises(ReplayUnderWay):
        resume(replay.pk, actor=Actor.staff(operator), reason="go on", at=now())
    JobRun.objects.update(status=JobStatus.CANCELLED)
    resume(replay.pk, actor=Actor.staff(operator), reason="go on", at=now())
    assert work(replay) == {"queued": 250, "already_waiting": 0}
    assert queued() == positions[50:]
    JobRun.objects.update(status=JobStatus.SUCCEEDED)
    with pytest.raises(ReplayUnderWay, match="finished"):
        resume(replay.pk, actor=Actor.staff(operator), reason="again", at=now())


def test_two_runs_of_one_replay_queue_no_event_twice(begun: Any) -> None:
    replay, positions = begun(300)
    barrier = threading.Barrier(3)
    seen: list[int] = []

    def run() -> None:
        try:
            barrier.wait()
            while True:
                chunk = queue_chunk(replay.pk, most=20, at=now())
                seen.append(chunk.events)
                if chunk.is_last:
                    return
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(seen) == 300
    assert queued() == positions
    replay.refresh_from_db()
    assert replay.queued == 300


def test_a_replay_waits_while_the_broker_has_enough_to_do(begun: Any, queue_events: QueueEvents) -> None:
    replay, _ = begun(120, rate=2000)
    live = queue_events(1000, starting_at=120)
    naps: list[float] = []

    def stop(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            Relay().drain()

    assert work(replay, sleep=stop) == {"queued": 120, "already_waiting": 0}
    assert len(naps) >= 3
    assert not set(queued()) & set(live)


def test_an_event_that_is_committed_late_makes_the_approval_void(
    queue_events: QueueEvents, operator: User, approver: User, topic: str
) -> None:
    queue_events(60)
    with connection.cursor() as cursor:
        cursor.execute("select nextval(pg_get_serial_sequence('outbox_event', 'position'))")
        late = cursor.fetchone()[0]
    queue_events(60, starting_at=60)
    Relay().drain()
    request = asked_for(operator)
    approve(request.pk, actor=Actor.staff(approver), at=now())
    OutboxEvent.objects.create(
        position=late,
        event_id=uuid4(),
        event_type="t",
        source="/t",
        subject="",
        topic=topic,
        key="k",
        body="{}",
        occurred_at=now(),
    )
    with pytest.raises(ApprovalVoid, match="count: 120 was asked for, 121 is there now"):
        execute(request.pk, at=now())
    assert not OutboxReplay.objects.exists()
    assert queued() == []


def test_an_approval_has_one_replay_whoever_begins_it(begun: Any) -> None:
    replay, _ = begun(101)
    content = select(today()).as_content() | {"rate": 5}
    from_approval = ApprovalRequest.objects.get(pk=replay.approval_id)
    execution = Execution(
        request_id=from_approval.pk, requested_by="x", reason="x", actor=Actor.system("tests"), at=now()
    )
    with pytest.raises(IntegrityError):
        unit_of_work(begin)(content, execution)
    assert OutboxReplay.objects.count() == 1
