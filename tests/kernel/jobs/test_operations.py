from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery
from django.db import connection, transaction
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.calendar import ledger_zone
from kernel.errors import Refused
from kernel.jobs import operations, queueing
from kernel.jobs.models import IllegalJobMove, JobRun
from kernel.jobs.operations import AlreadyRunning, cancel_job, fail_silent_runs, request_job, run_job, run_now
from kernel.jobs.progress import HEARTBEAT_SECONDS, JobCancelled, Position, Progress
from kernel.jobs.registry import ParametersUnfit, UnknownJob, job
from kernel.jobs.states import FINAL, LIVE, MOVES, JobStatus

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
STAFF = Actor.command("tests")
pytestmark = pytest.mark.django_db(transaction=True)


def declare_count(*, exclusive: bool = False) -> None:
    @job("count", title="Count", exclusive=exclusive)
    def count(progress: Progress, *, up_to: int = 3) -> dict[str, Any]:
        for number in range(up_to):
            progress.report(done=number + 1, total=up_to, phase="counting")
        return {"counted": up_to}


def in_threads(work: Any, times: int) -> list[Any]:
    outcomes: list[Any] = []
    barrier = threading.Barrier(times)

    def run() -> None:
        try:
            barrier.wait()
            outcomes.append(work())
        except Exception as failure:
            outcomes.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_requested_job_waits_in_the_queue_and_the_workers_are_told_after_the_commit(announced: list[UUID]) -> None:
    declare_count()

    run = request_job("count", parameters={"up_to": 2}, actor=STAFF, at=AT)

    run.refresh_from_db()
    assert (run.status, run.queued_at, run.enqueued_at, run.requested_by) == ("queued", AT, AT, STAFF.name)
    assert announced == [run.pk]
    assert AuditEntry.objects.about(run).get().action == "job.requested"


def test_a_run_ends_with_its_result(announced: list[UUID]) -> None:
    declare_count()
    run = request_job("count", parameters={"up_to": 4}, actor=STAFF, at=AT)

    assert run_job(run.pk) == JobStatus.SUCCEEDED

    run.refresh_from_db()
    assert (run.status, run.result, run.done, run.total, run.phase) == ("succeeded", {"counted": 4}, 4, 4, "counting")
    assert run.finished_at is not None
    assert run.started_at is not None


def test_eight_workers_with_the_same_message_run_it_once(announced: list[UUID]) -> None:
    executions: list[int] = []

    @job("once", title="Once")
    def once(progress: Progress) -> dict[str, Any]:
        executions.append(1)
        time.sleep(0.05)
        return {}

    for _ in range(10):
        executions.clear()
        run = request_job("once", actor=STAFF, at=AT)
        outcomes = in_threads(lambda run=run: run_job(run.pk), 8)
        assert sorted(outcomes, key=str) == [None] * 7 + [JobStatus.SUCCEEDED]
        assert len(executions) == 1


def test_an_exclusive_job_has_one_live_run_and_the_refusal_names_it(announced: list[UUID]) -> None:
    declare_count(exclusive=True)

    outcomes = in_threads(lambda: request_job("count", actor=STAFF, at=AT), 6)

    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, JobRun)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, AlreadyRunning)]
    assert len(refusals) == 5
    assert all(str(winner.pk) in refusal.detail and refusal.context["ids"] == [str(winner.pk)] for refusal in refusals)
    assert JobRun.objects.count() == 1
    assert AuditEntry.objects.count() == 1
    with pytest.raises(AlreadyRunning):
        run_now("count", actor=STAFF)


def test_an_exclusive_job_may_run_again_after_its_end(announced: list[UUID]) -> None:
    declare_count(exclusive=True)
    run_now("count", actor=STAFF)

    assert run_now("count", actor=STAFF) == {"counted": 3}
    assert JobRun.objects.filter(status="succeeded").count() == 2


def test_a_broker_that_is_away_costs_nothing_but_the_wait_for_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_count()
    told: list[UUID] = []
    monkeypatch.setattr(operations, "announce", lambda run_id: False)
    run = request_job("count", actor=STAFF, at=AT)
    run.refresh_from_db()
    assert (run.status, run.enqueued_at) == ("queued", None)

    def tell(run_id: UUID) -> bool:
        told.append(run_id)
        return True

    monkeypatch.setattr(operations, "announce", tell)

    assert operations.announce_waiting_runs(at=AT) == 1
    assert operations.announce_waiting_runs(at=AT + timedelta(seconds=30)) == 0
    assert operations.announce_waiting_runs(at=AT + timedelta(seconds=61)) == 1
    assert told == [run.pk, run.pk]


def test_a_message_to_a_broker_that_does_not_answer_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Celery("away", set_as_current=False)
    away.config_from_object("django.conf:settings", namespace="CELERY")
    away.conf.update(broker_url="redis://127.0.0.1:1/0")
    monkeypatch.setattr(queueing, "current_app", away)
    began = time.monotonic()

    assert queueing.announce(uuid4()) is False
    assert time.monotonic() - began < 2


def test_an_error_ends_the_run_as_failed_and_says_what_went_wrong(announced: list[UUID]) -> None:
    @job("breaks", title="Breaks")
    def breaks(progress: Progress) -> dict[str, Any]:
        raise Refused("The file has no lines.")

    run = request_job("breaks", actor=STAFF, at=AT)

    assert run_job(run.pk) == JobStatus.FAILED
    run.refresh_from_db()
    assert (run.status, run.error, run.result) == ("failed", "The file has no lines.", None)
    with pytest.raises(Refused):
        run_now("breaks", actor=STAFF)


def test_a_result_that_is_no_json_ends_the_run_as_failed() -> None:
    @job("odd", title="Odd")
    def odd(progress: Progress) -> dict[str, Any]:
        return {"set": {1}}

    with pytest.raises(TypeError):
        run_now("odd", actor=STAFF)
    assert JobRun.objects.get().status == "failed"


def test_a_queued_run_is_cancelled_at_once_and_never_runs(announced: list[UUID]) -> None:
    declare_count()
    run = request_job("count", actor=STAFF, at=AT)

    cancel_job(run.pk, actor=STAFF, reason="not today", at=AT)

    assert run_job(run.pk) is None
    run.refresh_from_db()
    assert (run.status, run.result) == ("cancelled", None)
    assert AuditEntry.objects.get(action="job.cancel-requested").reason == "not today"
    with pytest.raises(IllegalJobMove):
        cancel_job(run.pk, actor=STAFF, at=AT)


def test_a_running_job_stops_at_its_next_report_after_it_was_cancelled() -> None:
    started = threading.Event()

    @job("endless", title="Endless")
    def endless(progress: Progress) -> dict[str, Any]:
        for number in range(10_000):
            progress.report(done=number, total=10_000)
            started.set()
            time.sleep(0.01)
        return {}

    outcomes: list[Any] = []
    worker = threading.Thread(target=lambda: outcomes.extend(in_threads(lambda: run_now("endless", actor=STAFF), 1)))
    worker.start()
    assert started.wait(10)
    cancel_job(JobRun.objects.get().pk, actor=STAFF, at=AT)
    worker.join(10)

    run = JobRun.objects.get()
    assert isinstance(outcomes[0], JobCancelled)
    assert run.status == "cancelled"
    assert 0 < run.done < 10_000


def test_progress_is_seen_from_outside_while_the_job_is_inside_its_own_transaction() -> None:
    seen: list[tuple[int, int | None]] = []

    @job("long", title="Long")
    def long(progress: Progress) -> dict[str, Any]:
        with transaction.atomic():
            progress.report(done=5, total=10, phase="first")
            time.sleep(1.3)
            in_threads(lambda: seen.extend(JobRun.objects.values_list("done", "total")), 1)
            transaction.set_rollback(True)
        return {}

    run_now("long", actor=STAFF)

    assert seen == [(5, 10)]


def test_echo_is_told_every_position() -> None:
    declare_count()
    told: list[Position] = []

    run_now("count", actor=STAFF, echo=told.append)

    assert told == [Position(n, 3, "counting") for n in (1, 2, 3)]


def running(name: str, heartbeat_at: datetime) -> JobRun:
    return JobRun.objects.create(
        name=name, requested_by="t", status="running", status_since=AT, queued_at=AT, heartbeat_at=heartbeat_at
    )


def test_only_a_run_without_a_sign_of_life_for_two_minutes_is_ended_as_failed() -> None:
    silent = running("silent", AT - timedelta(seconds=121))
    alive = running("alive", AT - timedelta(seconds=119))

    assert [run.pk for run in fail_silent_runs(at=AT)] == [silent.pk]

    silent.refresh_from_db()
    alive.refresh_from_db()
    assert (silent.status, silent.error) == ("failed", "The process that ran it ended.")
    assert alive.status == "running"


def test_a_job_that_never_reports_still_gives_signs_of_life() -> None:
    beats: list[datetime | None] = []

    @job("quiet", title="Quiet")
    def quiet(progress: Progress) -> dict[str, Any]:
        time.sleep(HEARTBEAT_SECONDS + 2.5)
        in_threads(lambda: beats.extend(JobRun.objects.values_list("heartbeat_at", flat=True)), 1)
        return {}

    run_now("quiet", actor=STAFF)

    assert beats[0] is not None
    assert timezone.now() - beats[0] < timedelta(seconds=HEARTBEAT_SECONDS)


def test_a_run_that_was_declared_ended_is_not_ended_again_by_its_late_process() -> None:
    @job("suspended", title="Suspended")
    def suspended(progress: Progress) -> dict[str, Any]:
        fail_silent_runs(at=timezone.now() + timedelta(minutes=3))
        return {"late": True}

    run_now("suspended", actor=STAFF)

    run = JobRun.objects.get()
    assert (run.status, run.result) == ("failed", None)


def test_unknown_jobs_and_unfit_parameters_are_refused_before_anything_is_queued() -> None:
    declare_count()

    with pytest.raises(UnknownJob, match="There is no job nothing"):
        request_job("nothing", actor=STAFF, at=AT)
    with pytest.raises(ParametersUnfit, match="'down_to'"):
        request_job("count", parameters={"down_to": 1}, actor=STAFF, at=AT)

    assert JobRun.objects.count() == 0


@pytest.mark.parametrize("current", list(JobStatus))
@pytest.mark.parametrize("target", list(JobStatus))
def test_a_status_moves_only_as_the_table_says(current: JobStatus, target: JobStatus) -> None:
    run = JobRun(name="x", status=current, status_since=AT)

    if target in MOVES[current]:
        run._move_to(target, at=AT)
        assert (run.status, run.status_since) == (target, AT)
    else:
        with pytest.raises(IllegalJobMove, match=str(run.pk)):
            run._move_to(target, at=AT)
        assert run.status == current


def test_a_run_is_named_by_the_title_of_its_job_and_by_when_it_was_asked_for() -> None:
    declare_count()
    at = datetime(2026, 3, 2, 18, 0, tzinfo=UTC).astimezone(ledger_zone())

    assert str(JobRun(name="count", queued_at=at)) == f"Count, {at:%Y-%m-%d %H:%M %Z}"
    # A run of an earlier version, whose job is gone since.
    assert str(JobRun(name="gone", queued_at=at)) == f"gone, {at:%Y-%m-%d %H:%M %Z}"


def test_live_and_final_statuses_are_all_statuses() -> None:
    assert frozenset(JobStatus) == LIVE | FINAL
    assert frozenset({"queued", "running"}) == LIVE
