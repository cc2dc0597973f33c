"""Finds and deletes what is older than its setting says, kind by kind, in short transactions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection
from psycopg import errors

from kernel.errors import Conflict
from kernel.pruning.registry import Chunk, Found, Prunable, Pruning, prunables
from kernel.transactions import unit_of_work

# "prun" in ASCII: the key of the advisory lock that makes the pruner the only one at any moment.
PRUNER_LOCK = 0x7072756E
LOCK_TIMEOUT_MS = 2_000
PAUSE_SECONDS = 0.05
# Somebody else works on these rows just now. Nothing of the chunk was deleted; the next run finds them again.
IN_USE = (errors.LockNotAvailable, errors.RestrictViolation, errors.DeadlockDetected)

logger = logging.getLogger(__name__)


class AnotherPrunerIsActive(Conflict):
    """Rows are being pruned by another process."""

    code = "another-pruner-is-active"
    next_step = "Wait until that run ends; the list of job runs shows it."


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of one kind. With `is_in_use` the rest was left for the next run, because rows of it were in use."""

    prunable: Prunable
    deleted: int
    is_in_use: bool = False


def rehearse(*, at: datetime) -> list[tuple[Prunable, Found]]:
    """What `prune` at this moment would delete of each kind. Changes nothing."""
    return [(prunable, prunable.rows.find(before=prunable.before(at))) for prunable in prunables()]


def prune(
    prunable: Prunable,
    pruning: Pruning,
    *,
    after_each: Callable[[int], None] = lambda deleted: None,
    pause_seconds: float = PAUSE_SECONDS,
) -> Pruned:
    """Deletes what is old of this kind, in chunks with a pause between.

    `after_each` is called between the chunks with how many rows went so far, and stops the run by raising. Raises
    AnotherPrunerIsActive.
    """
    deleted = 0
    for chunk in prunable.rows.chunks(before=prunable.before(pruning.at)):
        try:
            deleted += _prune_chunk(chunk, pruning)
        except DatabaseError as failure:
            if not isinstance(failure.__cause__, IN_USE):
                raise
            extra = {"action": "prune", "kind": prunable.name, "error": type(failure.__cause__).__name__}
            logger.warning("Rows to prune are in use; the next run takes them", extra=extra)
            return Pruned(prunable, deleted, is_in_use=True)
        after_each(deleted)
        time.sleep(pause_seconds)
    return Pruned(prunable, deleted)


@unit_of_work
def _prune_chunk(chunk: Chunk, pruning: Pruning) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"set local lock_timeout = {LOCK_TIMEOUT_MS:d}")
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [PRUNER_LOCK])
        if not cursor.fetchone()[0]:
            raise AnotherPrunerIsActive
    return chunk(pruning)
