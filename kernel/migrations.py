"""Operations that every migration of ours begins with or is made of."""

from __future__ import annotations

from typing import Any

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

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {"statement_ms": self.statement_ms, "lock_ms": self.lock_ms}

    def describe(self) -> str:
        return f"Limit statements to {self.statement_ms} ms and waits for locks to {self.lock_ms} ms"


class AppendOnly(RunSQL):
    """Makes a table append-only: PostgreSQL itself refuses UPDATE, DELETE and TRUNCATE, whoever asks.

    Makes the triggers <table>_no_update, <table>_no_delete and <table>_no_truncate, and the function that they call.
    On a partitioned table the two row triggers reach every partition by themselves; the one for TRUNCATE guards the
    parent only, so whoever makes partitions adds one to each (`no_truncate_trigger`).
    """

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(_append_only_sql(table), reverse_sql=_writable_again_sql(table))

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {"table": self.table}

    def describe(self) -> str:
        return f"Let rows of {self.table} be added, never changed or removed"


def no_truncate_trigger(table: str, *, guarded_like: str | None = None) -> str:
    """SQL of the trigger that refuses TRUNCATE of `table`; a partition names its parent in `guarded_like`."""
    return (
        f'create trigger "{table}_no_truncate" before truncate on "{table}" '
        f'for each statement execute function "{guarded_like or table}_append_only"()'
    )


def _append_only_sql(table: str) -> str:
    return f"""
        create function "{table}_append_only"() returns trigger language plpgsql as $refusal$
        begin
            raise exception 'Rows of % are only ever added: % is refused.', tg_table_name, lower(tg_op)
                using errcode = 'restrict_violation', hint = 'Add a new row that corrects or reverses the old one.';
        end
        $refusal$;
        create trigger "{table}_no_update" before update on "{table}"
            for each row execute function "{table}_append_only"();
        create trigger "{table}_no_delete" before delete on "{table}"
            for each row execute function "{table}_append_only"();
        {no_truncate_trigger(table)};
    """


def _writable_again_sql(table: str) -> str:
    return f"""
        drop trigger "{table}_no_truncate" on "{table}";
        drop trigger "{table}_no_delete" on "{table}";
        drop trigger "{table}_no_update" on "{table}";
        drop function "{table}_append_only"();
    """
