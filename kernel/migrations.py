"""Operations that every migration of ours begins with or is made of."""

from __future__ import annotations

from django.db.migrations.operations import RunSQL

MIGRATION_STATEMENT_TIMEOUT_MS = 20_000
MIGRATION_LOCK_TIMEOUT_MS = 5_000


class TimeLimits(RunSQL):
    """Limits how long one statement, and its wait for a lock, may take for the rest of the migration.

    A migration that cannot get its lock fails and can be repeated, in place of queueing all traffic behind it.
    """

    def __init__(
        self,
        *,
        statement_ms: int = MIGRATION_STATEMENT_TIMEOUT_MS,
        lock_ms: int = MIGRATION_LOCK_TIMEOUT_MS,
    ) -> None:
        self.statement_ms = statement_ms
        self.lock_ms = lock_ms
        limits = f"set local statement_timeout = {statement_ms}; set local lock_timeout = {lock_ms}"
        super().__init__(limits, reverse_sql=limits)

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return self.__class__.__qualname__, [], {"statement_ms": self.statement_ms, "lock_ms": self.lock_ms}

    def describe(self) -> str:
        return f"Limit statements to {self.statement_ms} ms and waits for locks to {self.lock_ms} ms"
