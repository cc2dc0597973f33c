"""Looks whether what must always be true is true, in one snapshot, and keeps what it saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from kernel.invariants.models import InvariantOutcome
from kernel.invariants.registry import Invariant, Look, invariants
from kernel.transactions import SNAPSHOT_LOCK, unit_of_work

# Whole tables are joined by hash: with less memory they go through temporary files several times.
SNAPSHOT_SETTINGS = """
select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('work_mem', '128MB', true), set_config('max_parallel_workers_per_gather', '0', true),
       set_config('jit', 'off', true)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look at one invariant saw, and how long it took in seconds."""

    invariant: Invariant
    look: Look
    seconds: float

    @property
    def is_broken(self) -> bool:
        return self.look.broken > 0

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.invariant.name,
            "sentence": self.invariant.sentence,
            "looked_at": self.look.looked_at,
            "broken": self.look.broken,
            "unresolved": self.look.unresolved,
            "seconds": round(self.seconds, 3),
            "breaches": [asdict(breach) for breach in self.look.breaches],
        }


def verify(
    *,
    only: Collection[str] = (),
    quick: bool = False,
    at: datetime,
    before_each: Callable[[int, int, str], object] = lambda done, total, name: None,
) -> list[Outcome]:
    """Looks at the invariants and keeps what was seen; all of one call see the database at one and the same moment.

    `before_each(done, total, name)` is called before each look and may raise to stop; nothing is kept then. Raises
    UnknownInvariant.
    """
    chosen = invariants(only=only, quick=quick)
    outcomes: list[Outcome] = []
    with _snapshot():
        for invariant in chosen:
            before_each(len(outcomes), len(chosen), invariant.name)
            began = time.monotonic()
            look = invariant.look(at)
            outcomes.append(Outcome(invariant, look, time.monotonic() - began))
    _keep(outcomes, at=at)
    return outcomes


@contextmanager
def _snapshot() -> Iterator[None]:
    """One moment of a running system, for as many statements as it takes; nothing can be written meanwhile.

    Between two statements of the usual kind a payment may be recorded, and counting would find a difference that never
    was. Sessions write on undisturbed, but vacuum keeps what they delete until the snapshot ends.
    """
    with connection.cursor() as cursor:
        # Before the snapshot is taken: one that had to wait for the lock would be older than what it waited for.
        cursor.execute("select pg_advisory_lock_shared(%s)", [SNAPSHOT_LOCK])
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(SNAPSHOT_SETTINGS)
            yield
    finally:
        # A session that was lost has given the lock back already.
        with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock_shared(%s)", [SNAPSHOT_LOCK])


@unit_of_work
def _keep(outcomes: list[Outcome], *, at: datetime) -> None:
    for outcome in outcomes:
        shown = outcome.shown()
        InvariantOutcome.objects.update_or_create(name=shown.pop("name"), defaults={**shown, "checked_at": at})
    known = [invariant.name for invariant in invariants()]
    InvariantOutcome.objects.exclude(name__in=known).delete()
