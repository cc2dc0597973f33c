"""Turns the gate of exactly-once over to a new generation, so that its index stays small and in memory.

The gate takes new references, the generation before it is only read, the history keeps for good what left that one. A
reference spends REFERENCE_CACHE_TTL_DAYS to twice that in the first two. Nothing is deleted row by row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from psycopg.errors import LockNotAvailable

from kernel.errors import Conflict, Unavailable
from kernel.transactions import SNAPSHOT_LOCK, unit_of_work
from payments.recorder import merge_references_sql

ROTATION_LOCK = 7_310_003
CHUNK = 10_000
# The planner would read whole months of payments for every chunk; each is found by its key.
BY_PRIMARY_KEY = """
select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
"""
# Whoever records waits behind our wait for the gate: a short one, and many of them.
GATE_LOCK_TIMEOUT_MS = 100
SHUT_ATTEMPTS = 120
PAUSE_SECONDS = 0.5

OLDEST_CLAIM = "select min(created_at) from payment_references"
NEWEST_PREVIOUS = "select max(created_at) from payment_references_previous"
UNMERGED = """
select count(*) from payment_references_previous earlier
where not exists (select from payment_references_history kept where kept.reference_number = earlier.reference_number)
"""
# The emptied table and the gate change places with their indexes, so that grants and definitions stay what they were.
EXCHANGES = (
    ("table", "payment_references", "payment_references_previous"),
    ("index", "payment_references_pkey", "payment_references_previous_pkey"),
    ("index", "idx_payment_refs_created", "idx_payment_refs_previous"),
)


class RotationRunning(Conflict):
    """Another session is turning the gate over."""

    code = "rotation-running"
    next_step = "Wait for it to end."


class ReferenceWithoutPayment(Conflict):
    """References of the earlier generation name payments that are not there, so they cannot be merged."""

    code = "reference-without-payment"
    next_step = "Run `manage.py verify`, and tell whoever runs the database before anything is changed by hand."


class GateBusy(Unavailable):
    """Long statements held the references, so that the generations were not exchanged; nothing is lost by waiting."""

    code = "gate-busy"
    next_step = "Nothing is to be done: the next run goes on from here."


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """What a turn would do: whether it is due, and how many references it would merge and move."""

    is_due: bool
    oldest_claim: datetime | None
    to_merge: int
    to_move: int


def plan_rotation(at: datetime) -> RotationPlan:
    """Reads only; the counts are exact, one pass over each table."""
    oldest, newest_previous = _moment(OLDEST_CLAIM), _moment(NEWEST_PREVIOUS)
    kept_since = at - timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS)
    is_due = oldest is not None and oldest < kept_since and (newest_previous is None or newest_previous < kept_since)
    return RotationPlan(is_due, oldest, _rows("payment_references_previous"), _rows("payment_references"))


def rotate_references(*, at: datetime, on_merged: Callable[[int], None] = lambda _: None) -> RotationPlan:
    """Turns the gate over when that is due; gives the plan that was carried out.

    The earlier generation is merged into the history; then names change: its emptied table becomes the gate, and the
    gate the earlier generation.

    Calls on_merged with the number merged so far, between units of work; what it raises (a cancellation) ends the turn,
    and the next one goes on from there. Raises RotationRunning, ReferenceWithoutPayment, GateBusy.
    """
    with _sole_rotation():
        plan = plan_rotation(at)
        if plan.is_due:
            _merge(on_merged)
            _shut_and_exchange()
        return plan


def _merge(on_merged: Callable[[int], None]) -> None:
    after, merged = "", 0
    while True:
        last, count = merge_chunk(after)
        if last is None:
            break
        merged, is_first = merged + count, not after
        after = last
        if is_first:
            # A plan that was made while the history was empty would read all of it for every batch from now on.
            _analyze_history()
        on_merged(merged)
    missing = _number(UNMERGED)
    if missing:
        raise ReferenceWithoutPayment(f"{missing} references of the earlier generation name no payment.")
    if merged:
        _analyze_history()


@unit_of_work
def merge_chunk(after: str) -> tuple[str | None, int]:
    """Merges the next references above `after` in their order; gives the last and how many. Repeating is harmless."""
    with connection.cursor() as cursor:
        cursor.execute(BY_PRIMARY_KEY)
        cursor.execute(merge_references_sql(), {"after": after, "chunk": CHUNK})
        last, count = cursor.fetchone()
    return last, count


def _shut_and_exchange() -> None:
    for attempt in range(SHUT_ATTEMPTS):
        if attempt:
            # What queued behind our wait goes through before we try again.
            time.sleep(PAUSE_SECONDS)
        try:
            exchange_generations()
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        else:
            return
    raise GateBusy(f"The references were busy in each of {SHUT_ATTEMPTS} attempts.")


@unit_of_work
def exchange_generations() -> None:
    """Empties the earlier generation and exchanges it with the gate, all at one moment.

    Every session that records holds both tables from before its snapshot to its commit, so that none of them sees a
    reference in no table: whoever comes while the gate is shut waits, and then looks at all three anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"set local lock_timeout = {GATE_LOCK_TIMEOUT_MS:d}")
        cursor.execute("select pg_advisory_xact_lock(%s)", [SNAPSHOT_LOCK])
        cursor.execute("lock table payment_references, payment_references_previous in access exclusive mode")
        cursor.execute("truncate payment_references_previous")
        for kind, gate, previous in EXCHANGES:
            cursor.execute(f"alter {kind} {gate} rename to {gate}_turning")
            cursor.execute(f"alter {kind} {previous} rename to {gate}")
            cursor.execute(f"alter {kind} {gate}_turning rename to {previous}")


@contextmanager
def _sole_rotation() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [ROTATION_LOCK])
        if not cursor.fetchone()[0]:
            raise RotationRunning
    try:
        yield
    finally:
        # A session that was lost has given the lock back already.
        with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [ROTATION_LOCK])


def _analyze_history() -> None:
    with connection.cursor() as cursor:
        cursor.execute("analyze payment_references_history")


def _rows(table: str) -> int:
    return _number(f"select count(*) from {table}")  # noqa: S608 - a name of ours


def _number(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def _moment(statement: str) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        moment: datetime | None = cursor.fetchone()[0]
        return moment
