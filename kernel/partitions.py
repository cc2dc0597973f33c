"""Monthly RANGE partitions of a PostgreSQL table: which there are, which are missing, and making them.

There is no package named django-partition to lean on, and those that exist take the table out of the admin
(docs/decisions.md); what is needed is small enough to own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from kernel.errors import Conflict
from kernel.migrations import no_truncate_trigger
from kernel.periods import Month
from kernel.transactions import SNAPSHOT_LOCK, inside_unit_of_work

ADVISORY_LOCK = 7_310_001
LOCK_TIMEOUT_MS = 3_000
# Below PostgreSQL's deadlock_timeout (1 s), so that a detach which is in somebody's way is the one to step back.
DETACH_LOCK_TIMEOUT_MS = 500


class StillAttached(Conflict):
    """The table is a partition in use; only a detached one may be dropped."""

    code = "partition-still-attached"


@dataclass(frozen=True, slots=True)
class Partition:
    """One month's partition as PostgreSQL has it. rows is the planner's estimate; -1 means never analysed."""

    name: str
    month: Month
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MonthlyPartitions:
    """The partitions of one table by one timestamptz column; months begin and end at midnight UTC."""

    table: str

    @property
    def default_name(self) -> str:
        return f"{self.table}_default"

    def name_of(self, month: Month) -> str:
        return f"{self.table}_{month.label}"

    def existing(self) -> list[Partition]:
        """Every attached monthly partition, oldest first; the default partition is not among them."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                select child.relname, child.reltuples::bigint, pg_total_relation_size(child.oid)
                from pg_inherits
                join pg_class child on child.oid = inhrelid
                where inhparent = to_regclass(%s)
                """,
                [self.table],
            )
            found = cursor.fetchall()
        monthly = re.compile(re.escape(self.table) + r"_(\d{4}_\d{2})")
        return sorted(
            (
                Partition(name, Month.parse(match[1]), rows, size)
                for name, rows, size in found
                if (match := monthly.fullmatch(name))
            ),
            key=lambda partition: partition.month,
        )

    def months(self) -> list[Month]:
        """The months that have a partition, oldest first: the catalogue alone, no sizes."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                select child.relname from pg_inherits join pg_class child on child.oid = inhrelid
                where inhparent = to_regclass(%s) and child.relname ~ %s
                """,
                [self.table, f"^{self.table}_[0-9]{{4}}_[0-9]{{2}}$"],
            )
            return sorted(Month.parse(name[-7:]) for (name,) in cursor.fetchall())

    def default_rows(self, *, limit: int = 10_000) -> int:
        """How many rows lie in the default partition, counted up to the limit. Any at all is an alarm."""
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("select count(*) from (select 1 from {} limit %s) counted").format(
                    sql.Identifier(self.default_name)
                ),
                [limit],
            )
            return int(cursor.fetchone()[0])

    @inside_unit_of_work
    def ensure(self, months: Iterable[Month]) -> list[Month]:
        """Makes the partitions of these months that do not exist yet; gives the months that it made.

        An advisory lock lets one session at a time do so. The table is made first and attached then, which holds up
        readers and writers of the parent only for the instant of attaching.
        """
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
            missing = sorted(set(months) - set(self.months()))
            if missing:
                cursor.execute(f"set local lock_timeout = {LOCK_TIMEOUT_MS:d}")
            for month in missing:
                self._create(cursor, month)
        return missing

    @inside_unit_of_work
    def empty_default(self, month_column: str) -> int:
        """Moves stray rows out of the default partition into partitions of their months; gives how many.

        The whole table is locked meanwhile. The old default partition is taken off, its months are made, its rows are
        inserted again by way of the parent, and a new empty default partition takes its place.
        """
        old, parent = sql.Identifier(f"{self.default_name}_old"), sql.Identifier(self.table)
        default, column = sql.Identifier(self.default_name), sql.Identifier(month_column)
        with connection.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = {LOCK_TIMEOUT_MS:d}")
            guards = self._triggers_of_default(cursor)
            cursor.execute(sql.SQL("alter table {} detach partition {}").format(parent, default))
            cursor.execute(sql.SQL("alter table {} rename to {}").format(default, old))
            cursor.execute(
                sql.SQL("select distinct date_trunc('month', {} at time zone 'UTC')::date from {}").format(column, old)
            )
            self.ensure([Month(first_on) for (first_on,) in cursor.fetchall()])
            cursor.execute(sql.SQL("create table {} partition of {} default").format(default, parent))
            for guard in guards:
                cursor.execute(guard)
            cursor.execute(sql.SQL("insert into {} select * from {}").format(parent, old))
            moved = cursor.rowcount
            cursor.execute(sql.SQL("drop table {}").format(old))
        return moved

    def _triggers_of_default(self, cursor: CursorWrapper) -> list[str]:
        """The statements that make the triggers of the default partition which are its own, not its parent's."""
        cursor.execute(
            "select pg_get_triggerdef(oid) from pg_trigger "
            "where tgrelid = to_regclass(%s) and not tgisinternal and tgparentid = 0 order by tgname",
            [self.default_name],
        )
        return [statement for (statement,) in cursor.fetchall()]

    @inside_unit_of_work
    def detach(self, month: Month, *, new_name: str, lock_timeout_ms: int = DETACH_LOCK_TIMEOUT_MS) -> None:
        """Takes the month's partition out of the table; it goes on as the read-only table `new_name`.

        Plain DETACH, because PostgreSQL refuses DETACH CONCURRENTLY while there is a default partition. It locks the
        whole table for an instant, and whatever comes meanwhile queues behind it: so it waits for its lock only
        briefly, and raises django.db.OperationalError (LockNotAvailable) when writers were busy for longer.
        """
        name, parent = sql.Identifier(self.name_of(month)), sql.Identifier(self.table)
        with connection.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = {lock_timeout_ms:d}")
            for lock in (ADVISORY_LOCK, SNAPSHOT_LOCK):
                cursor.execute("select pg_advisory_xact_lock(%s)", [lock])
            cursor.execute(sql.SQL("alter table {} detach partition {}").format(parent, name))
            # Its own name becomes free for a partition of the same month, should a payment of it still come.
            cursor.execute(sql.SQL("alter table {} rename to {}").format(name, sql.Identifier(new_name)))
        self.make_read_only(new_name)

    @inside_unit_of_work
    def make_read_only(self, name: str) -> None:
        """Lets nobody change the table `name` by rows any more, in any way; the table can still be dropped.

        Needs the function <table>_read_only(), which a migration makes. Detaching takes away the triggers that a
        partition had from its parent, so that without this the rows could be changed.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL(
                    "create trigger {} before insert or update or delete or truncate on {} "
                    "for each statement execute function {}()"
                ).format(
                    sql.Identifier(f"{name}_read_only"),
                    sql.Identifier(name),
                    sql.Identifier(f"{self.table}_read_only"),
                )
            )

    @inside_unit_of_work
    def drop_detached(self, name: str) -> None:
        """Drops a table that `detach` or a restore made. Raises StillAttached for a partition; absent is success."""
        with connection.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = {LOCK_TIMEOUT_MS:d}")
            cursor.execute("select relispartition from pg_class where oid = to_regclass(%s)", [name])
            found = cursor.fetchone()
            if found is not None and found[0]:
                raise StillAttached(f"{name} is a partition in use: it is not dropped.")
            cursor.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(name)))

    def _create(self, cursor: CursorWrapper, month: Month) -> None:
        name, parent = sql.Identifier(self.name_of(month)), sql.Identifier(self.table)
        bounds = month.bounds()
        cursor.execute(
            sql.SQL("create table {} (like {} including defaults including constraints)").format(name, parent)
        )
        cursor.execute(
            sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(
                parent, name, sql.Literal(bounds.start_at), sql.Literal(bounds.end_at)
            )
        )
        # Row triggers reach a partition by themselves, the one against TRUNCATE does not.
        cursor.execute(no_truncate_trigger(self.name_of(month), guarded_like=self.table))
