"""Takes staged rows in, chunk after chunk, with several workers at once, until nothing is left to take."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection
from prometheus_client import Counter, Histogram

from kernel.errors import Unavailable
from kernel.outbox.wakeup import wake_relay
from payments.operations.staging import (
    Chunk,
    PartitionMissing,
    ReferenceVanished,
    log_failed_chunk,
    record_chunk,
    record_rows,
    reject_row,
    unprocessed_ids,
)
from payments.partitioning import ensure_known, is_archived_month, known_months

logger = logging.getLogger(__name__)

# The other side was busy, restarted or interrupted us: the same chunk may well succeed in a moment.
TRANSIENT = (OperationalError, InterfaceError, ReferenceVanished)
# The database refused the content of a row: repeating changes nothing, taking the chunk apart finds the row.
BROKEN_ROW = (DataError, IntegrityError)
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
BOTTOM = -(2**63)
SCHEDULE_LOCK = 7_310_002

staged_rows = Counter("paymentsite_staged_rows", "Staged rows by what became of them", ["outcome"])
batch_seconds = Histogram(
    "paymentsite_staging_batch_seconds",
    "Time that one batch of staged rows took, retries included",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class IngestionStopped(Unavailable):
    """Staged rows could not be taken in, after every retry; they are untouched and wait for the next run."""

    code = "ingestion-stopped"
    title = "Ingestion stopped"
    next_step = "See the failed batch in the process log for its cause; the next run takes the same rows again."


@dataclass(frozen=True, slots=True)
class IngestionTotals:
    """How many staged rows ended how, over all batches of a run."""

    batches: int = 0
    rows: int = 0
    recorded: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0

    def plus(self, chunk: Chunk) -> IngestionTotals:
        return replace(
            self,
            batches=self.batches + 1,
            rows=self.rows + chunk.total,
            recorded=self.recorded + chunk.recorded,
            duplicates=self.duplicates + chunk.duplicates,
            conflicts=self.conflicts + chunk.conflicts,
            rejected=self.rejected + chunk.rejected,
        )


@dataclass(frozen=True, slots=True)
class Pace:
    """How to go about it: rows a batch, workers at once, whether to go on until none is left, retries a batch."""

    batch_size: int
    workers: int = 1
    until_empty: bool = True
    max_retries: int = 3


@contextmanager
def sole_scheduled_run() -> Iterator[bool]:
    """True for the one scheduled run at a time, False while another is at work.

    A backlog that takes longer than the interval would otherwise gather run upon run until no worker is left for
    anything else. The lock is the database session's, so that it ends with a process that was killed. Runs that a
    person asks for do not ask here: several at once are safe.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [SCHEDULE_LOCK])
        is_sole = bool(cursor.fetchone()[0])
    try:
        yield is_sole
    finally:
        if is_sole:
            # A session that was lost has given the lock back already.
            with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s)", [SCHEDULE_LOCK])


def ingest(pace: Pace, *, on_progress: Callable[[IngestionTotals], None] = lambda _: None) -> IngestionTotals:
    """Takes staged rows in and gives the totals; calls on_progress in this thread after every batch.

    What on_progress raises (a cancellation) stops all workers after their current batch and is raised again. Raises
    IngestionStopped when a worker gave up; what other workers recorded stays recorded.
    """
    finished: queue.SimpleQueue[Chunk | Exception | None] = queue.SimpleQueue()
    stop = threading.Event()
    workers = [
        threading.Thread(target=_work, args=(pace, stop, finished), name=f"ingest-{place}", daemon=True)
        for place in range(pace.workers)
    ]
    for worker in workers:
        worker.start()
    totals, failure, running = IngestionTotals(), None, len(workers)
    while running:
        message = finished.get()
        if message is None:
            running -= 1
        elif isinstance(message, Exception):
            failure = failure or message
            stop.set()
        else:
            totals = totals.plus(message)
            try:
                on_progress(totals)
            except Exception as error:
                failure = failure or error
                stop.set()
    if failure is not None:
        raise failure
    return totals


def _work(pace: Pace, stop: threading.Event, finished: queue.SimpleQueue[Chunk | Exception | None]) -> None:
    try:
        for chunk in _Worker(pace, stop).chunks():
            _count(chunk)
            finished.put(chunk)
    except Exception as error:
        # Not swallowed: the thread that waits for us raises it again.
        logger.exception("Ingestion of staged rows stopped", extra={"action": "ingest_staging"})
        finished.put(error)
    finally:
        connection.close()
        finished.put(None)


class _Worker:
    """Takes chunk after chunk upwards by id, and once more from the bottom before it ends.

    Going on from the last id spares a scan over rows that are done. It is no watermark: a row that was committed late
    with a lower id, or that another worker gave back, is found by the pass from the bottom.
    """

    def __init__(self, pace: Pace, stop: threading.Event) -> None:
        self.pace = pace
        self.stop = stop
        self.after_id = BOTTOM
        self.parts: list[list[int]] = []

    def chunks(self) -> Iterator[Chunk]:
        while not self.stop.is_set():
            from_parts = bool(self.parts)
            chunk = self._next_part() if from_parts else self._next_batch()
            if chunk is not None:
                yield chunk
                if not self.pace.until_empty:
                    return
            elif not from_parts and not self.parts:
                if self.after_id == BOTTOM:
                    return
                self.after_id = BOTTOM

    def _next_batch(self) -> Chunk | None:
        started_at, started = datetime.now(UTC), time.perf_counter()
        try:
            chunk = self._with_retries(
                lambda attempt: record_chunk(
                    batch_size=self.pace.batch_size, after_id=self.after_id, attempt=attempt, at=datetime.now(UTC)
                ),
                started_at=started_at,
            )
        except BROKEN_ROW:
            self._take_apart(unprocessed_ids(batch_size=self.pace.batch_size, after_id=self.after_id))
            return None
        if chunk is not None:
            # A look that found nothing is no batch and would make the average look better than it is.
            batch_seconds.observe(time.perf_counter() - started)
            self.after_id = chunk.last_id
        return chunk

    def _next_part(self) -> Chunk | None:
        row_ids = self.parts.pop()
        try:
            return self._with_retries(
                lambda attempt: record_rows(row_ids, attempt=attempt, at=datetime.now(UTC)),
                started_at=datetime.now(UTC),
            )
        except BROKEN_ROW as error:
            if len(row_ids) == 1:
                return reject_row(row_ids[0], cause=str(error).splitlines()[0], at=datetime.now(UTC))
            self._take_apart(row_ids)
            return None

    def _take_apart(self, row_ids: list[int]) -> None:
        middle = (len(row_ids) + 1) // 2
        self.parts.extend(part for part in (row_ids[middle:], row_ids[:middle]) if part)

    def _with_retries(self, record: Callable[[int], Chunk | None], *, started_at: datetime) -> Chunk | None:
        attempt = 1
        while True:
            try:
                return record(attempt)
            except PartitionMissing as missing:
                # Answered, not retried: making the months is what was missing. It can come as often as months do.
                ensure_known(missing.months)
            except TRANSIENT as error:
                connection.close()
                if isinstance(error, OperationalError) and is_archived_month(error):
                    known_months.refresh()
                if attempt > self.pace.max_retries or self.stop.is_set():
                    self._give_up(error, attempts=attempt, started_at=started_at)
                logger.warning(
                    "A batch of staged rows is tried again",
                    extra={"action": "ingest_staging", "attempt": attempt, "cause": type(error).__name__},
                )
                time.sleep(_pause(attempt))
                attempt += 1

    def _give_up(self, error: Exception, *, attempts: int, started_at: datetime) -> None:
        """Leaves a failed row in the process log where the database still takes one, and ends this worker."""
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        try:
            row_ids = unprocessed_ids(batch_size=self.pace.batch_size, after_id=self.after_id)
            if row_ids:
                log_failed_chunk(
                    first_id=row_ids[0],
                    last_id=row_ids[-1],
                    total=len(row_ids),
                    attempts=attempts,
                    cause=cause,
                    started_at=started_at,
                    at=datetime.now(UTC),
                )
        except (OperationalError, InterfaceError):
            logger.warning("The failed batch could not be logged either", extra={"action": "ingest_staging"})
        raise IngestionStopped(f"A batch of staged rows failed {attempts} times: {cause}.") from error


def _pause(attempt: int) -> float:
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)


def _count(chunk: Chunk) -> None:
    wake_relay()
    for outcome, rows in (
        ("recorded", chunk.recorded),
        ("duplicate", chunk.duplicates),
        ("conflict", chunk.conflicts),
        ("rejected", chunk.rejected),
    ):
        if rows:
            staged_rows.labels(outcome).inc(rows)
    logger.info(
        "A batch of staged rows is recorded",
        extra={
            "action": "ingest_staging",
            "batch_id": str(chunk.batch_id),
            "rows": chunk.total,
            "recorded": chunk.recorded,
            "duplicates": chunk.duplicates,
            "conflicts": chunk.conflicts,
            "rejected": chunk.rejected,
        },
    )
