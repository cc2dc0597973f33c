"""Job runs: asked for, taken by one worker, run, ended, cancelled."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from django.utils import timezone

from kernel.audit.actors import Actor, ActorKind
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, NotFound, PaymentsiteError
from kernel.jobs.models import IllegalJobMove, JobRun
from kernel.jobs.progress import JobCancelled, Position, Progress, RunTakenAway
from kernel.jobs.queueing import announce
from kernel.jobs.registry import Job, find_job
from kernel.jobs.states import FINAL, JobStatus
from kernel.transactions import after_commit, inside_unit_of_work, unit_of_work

ERROR_LIMIT = 2000
# A message about a queued run that has had no effect for this long is sent again.
ANNOUNCE_AGAIN_AFTER = timedelta(seconds=60)
SILENT_REASON = "The process that ran it ended."

logger = logging.getLogger(__name__)


class AlreadyRunning(Conflict):
    """This job runs already, and only one run at a time is allowed."""

    code = "job-already-running"
    title = "The job runs already"
    next_step = "Wait until that run ends, or cancel it."


class NoSuchRun(NotFound):
    """There is no job run of this id."""

    code = "unknown-job-run"


@unit_of_work
def request_job(name: str, *, parameters: Mapping[str, Any] | None = None, actor: Actor, at: datetime) -> JobRun:
    """Queues a run of the job; a worker takes it within moments, or within ten seconds when the broker is away.

    Raises UnknownJob, ParametersUnfit, or AlreadyRunning, which names the run that is in the way.
    """
    return queue_job(name, parameters=parameters, actor=actor, at=at)


@inside_unit_of_work
def queue_job(name: str, *, parameters: Mapping[str, Any] | None = None, actor: Actor, at: datetime) -> JobRun:
    """As request_job, but as a step: the run is queued if, and only if, the caller's unit of work commits."""
    run = _add_run(find_job(name), dict(parameters or {}), JobStatus.QUEUED, actor=actor, at=at)
    after_commit(lambda: announce_run(run.pk, at=at))
    return run


def run_now(
    name: str,
    *,
    actor: Actor,
    parameters: Mapping[str, Any] | None = None,
    echo: Callable[[Position], None] | None = None,
    clock: Callable[[], datetime] = timezone.now,
) -> dict[str, Any]:
    """Runs the job in this process and returns its result; the run is recorded as any other. For commands.

    `echo` is called with the position at every report. Raises what the job raises, and as request_job.
    """
    run = _begin_run(find_job(name), dict(parameters or {}), actor=actor, at=clock())
    return _execute(run, echo=echo, clock=clock)


def run_job(run_id: UUID, *, clock: Callable[[], datetime] = timezone.now) -> JobStatus | None:
    """Takes the queued run and runs it to its end; None when another worker was first or it is not queued any more.

    A job's own error ends the run as failed; it is not raised again, because the row tells it.
    """
    run = _take_run(run_id, at=clock())
    if run is None:
        return None
    try:
        _execute(run, clock=clock)
    except JobCancelled:
        return JobStatus.CANCELLED
    except Exception:
        return JobStatus.FAILED
    return JobStatus.SUCCEEDED


@unit_of_work
def cancel_job(run_id: UUID, *, actor: Actor, reason: str = "", at: datetime) -> JobRun:
    """Cancels a queued run at once, and asks a running one to stop at its next safe point.

    Raises NoSuchRun, or IllegalJobMove when the run has ended. Asking twice is asking once.
    """
    run = _locked(run_id)
    if JobStatus(run.status) in FINAL:
        raise IllegalJobMove(f"The run {run.pk} of {run.name} has ended: it is {run.status}.", ids=[str(run.pk)])
    if run.cancel_requested_at is not None:
        return run
    before = {"status": run.status}
    run.cancel_requested_at = at
    if run.status == JobStatus.QUEUED:
        run._move_to(JobStatus.CANCELLED, at=at)
        run.finished_at = at
    run.save()
    record_entry(
        actor=actor,
        action="job.cancel-requested",
        subject=run,
        before=before,
        after={"status": run.status},
        reason=reason,
        at=at,
    )
    return run


@unit_of_work
def fail_silent_runs(*, at: datetime) -> list[JobRun]:
    """Ends as failed every running run that has given no sign of life for longer than its patience."""
    runs = JobRun.objects.lock_silent(at)
    for run in runs:
        _end(run, JobStatus.FAILED, error=SILENT_REASON, at=at)
    return runs


def announce_waiting_runs(*, at: datetime) -> int:
    """Tells the workers again of queued runs whose message was not sent or got lost; returns how many.

    A message too many is harmless, because a run is taken only once.
    """
    waiting = JobRun.objects.not_taken(enqueued_before=at - ANNOUNCE_AGAIN_AFTER).values_list("pk", flat=True)
    return sum(announce_run(run_id, at=at) for run_id in waiting)


def announce_run(run_id: UUID, *, at: datetime) -> bool:
    """Sends the workers a message about a committed run. False when the broker is away: a sweep sends it later."""
    if not announce(run_id):
        return False
    JobRun.objects.filter(pk=run_id).update(enqueued_at=at)
    return True


@unit_of_work
def _begin_run(job: Job, parameters: dict[str, Any], *, actor: Actor, at: datetime) -> JobRun:
    return _add_run(job, parameters, JobStatus.RUNNING, actor=actor, at=at)


def _add_run(job: Job, parameters: dict[str, Any], status: JobStatus, *, actor: Actor, at: datetime) -> JobRun:
    job.check_parameters(parameters)
    running = status == JobStatus.RUNNING
    run = JobRun(
        name=job.name,
        requested_by=actor.name,
        parameters=parameters,
        exclusive=job.exclusive,
        status=status,
        status_since=at,
        queued_at=at,
        started_at=at if running else None,
        heartbeat_at=at if running else None,
    )
    try:
        # A savepoint: the constraint's refusal must leave the unit of work able to look for the run in the way.
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        in_the_way = JobRun.objects.live().filter(name=job.name, exclusive=True).first()
        if in_the_way is None:
            raise
        raise AlreadyRunning(
            f"{job.title} runs already: run {in_the_way.pk}, {in_the_way.status}, asked for by "
            f"{in_the_way.requested_by}.",
            ids=[str(in_the_way.pk)],
        ) from None
    # What the schedule does by itself every few seconds is told by the run's own row.
    if actor.kind != ActorKind.SYSTEM:
        record_entry(
            actor=actor, action="job.requested", subject=run, after={"name": job.name, "parameters": parameters}, at=at
        )
    return run


@unit_of_work
def _take_run(run_id: UUID, *, at: datetime) -> JobRun | None:
    run = next(iter(JobRun.objects.lock([run_id])), None)
    if run is None or run.status != JobStatus.QUEUED:
        return None
    run._move_to(JobStatus.RUNNING, at=at)
    run.started_at = run.heartbeat_at = at
    run.save()
    return run


def _execute(
    run: JobRun, *, clock: Callable[[], datetime], echo: Callable[[Position], None] | None = None
) -> dict[str, Any]:
    progress = Progress(run.pk, echo=echo)
    try:
        with progress:
            result = find_job(run.name).run(progress, **run.parameters)
            json.dumps(result, cls=DjangoJSONEncoder)
    except JobCancelled:
        _end_run(run.pk, JobStatus.CANCELLED, progress=progress, at=clock())
        raise
    except RunTakenAway:
        extra = {"action": "end_job", "job": run.name, "run": str(run.pk)}
        logger.warning("Job run was declared ended while its process was silent", extra=extra)
        raise
    except BaseException as failure:
        # Also for an interrupt from the keyboard: the row must not wait for the sweep to learn of it.
        extra = {"action": "end_job", "job": run.name, "run": str(run.pk), "error": type(failure).__name__}
        logger.warning("Job failed", extra=extra)
        _end_run(run.pk, JobStatus.FAILED, progress=progress, error=_explain(failure), at=clock())
        raise
    _end_run(run.pk, JobStatus.SUCCEEDED, progress=progress, result=result, at=clock())
    return result


@unit_of_work
def _end_run(
    run_id: UUID,
    status: JobStatus,
    *,
    progress: Progress,
    result: dict[str, Any] | None = None,
    error: str = "",
    at: datetime,
) -> None:
    run = _locked(run_id)
    if run.status != JobStatus.RUNNING:
        return
    run.done, run.total, run.phase = progress.position.done, progress.position.total, progress.position.phase
    run.rate_per_second = progress.rate_per_second
    run.result = result
    _end(run, status, error=error, at=at)


def _end(run: JobRun, status: JobStatus, *, error: str, at: datetime) -> None:
    run._move_to(status, at=at)
    run.finished_at = at
    run.error = error
    run.save()


def _locked(run_id: UUID) -> JobRun:
    runs = JobRun.objects.lock([run_id])
    if not runs:
        raise NoSuchRun(f"There is no job run {run_id}.")
    return runs[0]


def _explain(failure: BaseException) -> str:
    """What went wrong in words, and for an unforeseen error the place in our code."""
    if isinstance(failure, PaymentsiteError):
        return failure.detail[:ERROR_LIMIT]
    if isinstance(failure, KeyboardInterrupt | SystemExit):
        return "It was interrupted."
    frames = traceback.extract_tb(failure.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(failure).__name__}: {failure}{place}"[:ERROR_LIMIT]
