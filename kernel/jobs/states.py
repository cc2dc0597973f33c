"""The life of a job run: statuses, legal moves, final ones."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class JobStatus(StrEnum):
    # Asked for; no worker has taken it yet.
    QUEUED = "queued"
    # One worker, or one command, runs it.
    RUNNING = "running"
    # It returned its result.
    SUCCEEDED = "succeeded"
    # It raised an error, or the process that ran it ended.
    FAILED = "failed"
    # Somebody asked it to stop, and it did.
    CANCELLED = "cancelled"


MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED}),
    JobStatus.RUNNING: frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}
FINAL = frozenset(status for status, targets in MOVES.items() if not targets)
LIVE = frozenset(MOVES) - FINAL

# A queued run that no worker takes, and a running one that gives no sign of life, are stuck after this long.
PATIENCE: dict[JobStatus, timedelta] = {
    JobStatus.QUEUED: timedelta(minutes=10),
    JobStatus.RUNNING: timedelta(minutes=2),
}


def may_move(current: str, target: JobStatus) -> bool:
    return target in MOVES[JobStatus(current)]
