"""How a running job says how far it is, and learns that it should stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from django.db import Error, connection
from django.utils import timezone

from kernel.errors import Conflict
from kernel.jobs.models import JobRun
from kernel.jobs.states import JobStatus

WRITE_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0

logger = logging.getLogger(__name__)


class JobCancelled(Conflict):
    """Somebody asked for the job to stop, and it stopped at a safe point."""

    code = "job-cancelled"
    title = "The job was cancelled"


class RunTakenAway(Conflict):
    """The run was declared ended while this process was silent, so this process must not go on with it."""

    code = "job-run-taken-away"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is: rows done, of how many in all (None when not known), in which phase."""

    done: int = 0
    total: int | None = None
    phase: str = ""


class Progress:
    """Keeps the run's row up to date while the job runs: at once a second, and a heartbeat when nothing changes.

    A thread with its own database connection does the writing. The job's own connection may be in the middle of a
    unit of work: what is written there would show only at its commit, and disappear with a rollback. A job that is
    busy with one long statement stays alive for the same reason.
    """

    def __init__(self, run_id: UUID, *, echo: Callable[[Position], None] | None = None) -> None:
        self._run_id = run_id
        self._echo = echo
        self._position = Position()
        self._phase_began = time.monotonic()
        self._done_at_phase_begin = 0
        self._stop_asked = threading.Event()
        self._taken_away = threading.Event()
        self._ended = threading.Event()
        self._seen_in_database = False
        self._writer = threading.Thread(target=self._keep_writing, name=f"progress of {run_id}", daemon=True)

    def report(self, *, done: int | None = None, total: int | None = None, phase: str | None = None) -> None:
        """Says how far the job is; costs no round trip, so call it as often as you like, between units of work.

        What is left out stays as it was; a new phase counts its `done` from zero unless it says otherwise. Raises
        JobCancelled when somebody asked for the run to stop, RunTakenAway when it was declared ended.
        """
        if self._taken_away.is_set():
            raise RunTakenAway
        if self._stop_asked.is_set():
            raise JobCancelled
        before = self._position
        if phase is not None and phase != before.phase:
            self._phase_began = time.monotonic()
            before = Position(phase=phase)
            self._done_at_phase_begin = done or 0
        self._position = Position(
            done=before.done if done is None else done,
            total=before.total if total is None else total,
            phase=before.phase,
        )
        if self._echo is not None:
            self._echo(self._position)

    @property
    def run_id(self) -> UUID:
        """The run's key, for what the job leaves behind."""
        return self._run_id

    @property
    def position(self) -> Position:
        return self._position

    @property
    def rate_per_second(self) -> float | None:
        """Rows per second since the phase began; None in its first moments."""
        seconds = time.monotonic() - self._phase_began
        advanced = self._position.done - self._done_at_phase_begin
        return advanced / seconds if seconds > 0 and advanced > 0 else None

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._writer.join()

    def _keep_writing(self) -> None:
        written: Position | None = None
        written_at = float("-inf")
        try:
            while True:
                position = self._position
                if position != written or time.monotonic() - written_at >= HEARTBEAT_SECONDS:
                    if self._write(position, timezone.now()):
                        written, written_at = position, time.monotonic()
                else:
                    self._look_for_stop()
                if self._ended.wait(WRITE_SECONDS):
                    return
        finally:
            connection.close()

    def _write(self, position: Position, at: datetime) -> bool:
        """Writes progress and heartbeat. A database that is away for a moment must not end the job."""
        try:
            changed = JobRun.objects.filter(pk=self._run_id, status=JobStatus.RUNNING).update(
                done=position.done,
                total=position.total,
                phase=position.phase,
                rate_per_second=self.rate_per_second,
                heartbeat_at=at,
            )
        except Error as failure:
            extra = {"action": "write_progress", "error": type(failure).__name__}
            logger.warning("Progress could not be written", extra=extra)
            connection.close()
            return False
        self._note_row(visible=bool(changed))
        if changed:
            self._look_for_stop()
        return True

    def _look_for_stop(self) -> None:
        try:
            row = JobRun.objects.filter(pk=self._run_id).values_list("cancel_requested_at", flat=True).first()
        except Error:
            connection.close()
            return
        if row is not None:
            self._stop_asked.set()

    def _note_row(self, *, visible: bool) -> None:
        # A row that was never visible is one that its creator has not committed yet, which is no reason to stop.
        if not visible and self._seen_in_database:
            self._taken_away.set()
        self._seen_in_database = self._seen_in_database or visible
