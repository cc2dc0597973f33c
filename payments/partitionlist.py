"""Where the months of payments are: attached, on their way out, archived, restored. Reads no big table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import sql

from kernel.jobs.models import JobRun
from kernel.jobs.states import JobStatus
from kernel.partitions import Partition
from kernel.periods import Month
from payments.models import PartitionArchive
from payments.partitioning import PAYMENT_PARTITIONS, month_of, oldest_kept

# Of a table so small, what it holds is simply counted: a few milliseconds.
COUNTED_BYTES = 4 * 1024 * 1024
DEFAULT_ROWS_COUNTED = 10_000
ROWS_FOUND = 50


@dataclass(frozen=True, slots=True)
class Extent:
    """How many rows a table has and between which moments; from the planner's statistics unless it is exact."""

    rows: int | None
    oldest: datetime | None
    newest: datetime | None
    is_exact: bool


@dataclass(frozen=True, slots=True)
class AttachedMonth:
    """One partition of payments. holds are those of the latest run or rehearsal, with when that was."""

    partition: Partition
    extent: Extent
    is_due: bool
    is_current: bool
    is_ahead: bool
    holds: tuple[Mapping[str, Any], ...] = ()
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PartitionList:
    """All that the page shows. next_needed is the first month ahead that has no partition, or None."""

    attached: list[AttachedMonth]
    archives: list[PartitionArchive]
    last_ahead: Month
    next_needed: Month | None
    default_rows: int
    oldest_kept: Month
    latest_look: JobRun | None

    @property
    def due(self) -> list[AttachedMonth]:
        return [month for month in self.attached if month.is_due]


def partition_list(*, at: datetime) -> PartitionList:
    """The months as they are at this moment: a dozen looks into the catalogue, and into small tables."""
    partitions = PAYMENT_PARTITIONS.existing()
    extents = _extents(partitions)
    this_month, kept = month_of(at), oldest_kept(at)
    looked = latest_look()
    holds = {outcome["month"]: outcome["holds"] for outcome in _outcomes(looked)}
    present = {partition.month for partition in partitions}
    wanted = list(this_month.ahead(settings.PARTITION_MONTHS_AHEAD + 1))
    return PartitionList(
        attached=[
            AttachedMonth(
                partition=partition,
                extent=extents[partition.name],
                is_due=partition.month < kept,
                is_current=partition.month == this_month,
                is_ahead=partition.month > this_month,
                holds=tuple(holds.get(f"{partition.month.first_on:%Y-%m}", ())) if partition.month < kept else (),
                looked_at=looked.finished_at if looked is not None else None,
            )
            for partition in partitions[::-1]
        ],
        archives=list(PartitionArchive.objects.order_by("-month", "part")),
        last_ahead=wanted[-1],
        next_needed=next((month for month in wanted if month not in present), None),
        default_rows=PAYMENT_PARTITIONS.default_rows(limit=DEFAULT_ROWS_COUNTED),
        oldest_kept=kept,
        latest_look=looked,
    )


def latest_look() -> JobRun | None:
    """The latest run or rehearsal of archiving that came to its end."""
    return JobRun.objects.filter(name="archive_partitions", status=JobStatus.SUCCEEDED).order_by("-queued_at").first()


def found_in_restored(archive: PartitionArchive, term: str) -> list[dict[str, Any]]:
    """Payments of a restored archive with this reference, account, CIF or id, the latest first, at most 50."""
    statement = sql.SQL(
        """
        select id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel, source
        from {} where reference_number = %(term)s or loan_account_number = %(term)s or cif = %(term)s
            or id::text = lower(%(term)s)
        order by payment_date desc limit {}
        """
    ).format(sql.Identifier(archive.restored_table), sql.Literal(ROWS_FOUND))
    with connection.cursor() as cursor:
        cursor.execute(statement, {"term": term})
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _outcomes(run: JobRun | None) -> list[Mapping[str, Any]]:
    return (run.result or {}).get("months", []) if run is not None else []


def _extents(partitions: list[Partition]) -> dict[str, Extent]:
    small = [partition.name for partition in partitions if partition.size_bytes <= COUNTED_BYTES]
    estimated = [partition for partition in partitions if partition.size_bytes > COUNTED_BYTES]
    bounds = _bounds_by_statistics([partition.name for partition in estimated])
    extents = {
        partition.name: Extent(
            partition.rows if partition.rows >= 0 else None, *bounds.get(partition.name, (None, None)), is_exact=False
        )
        for partition in estimated
    }
    return extents | _counted(small)


def _counted(tables: list[str]) -> dict[str, Extent]:
    if not tables:
        return {}
    each = sql.SQL("select {}::text, count(*), min(payment_date), max(payment_date) from {}")
    statement = sql.SQL(" union all ").join(each.format(sql.Literal(table), sql.Identifier(table)) for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {table: Extent(rows, oldest, newest, is_exact=True) for table, rows, oldest, newest in cursor.fetchall()}


def _bounds_by_statistics(tables: list[str]) -> dict[str, tuple[datetime | None, datetime | None]]:
    """About the first and the last moment of payment, as ANALYZE saw them in its sample: no index leads by date."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select tablename, min(seen), max(seen)
            from pg_stats
            cross join unnest(
                coalesce(histogram_bounds::text::timestamptz[], '{}')
                || coalesce(most_common_vals::text::timestamptz[], '{}')
            ) seen
            where schemaname = current_schema() and attname = 'payment_date' and tablename = any (%s)
            group by tablename
            """,
            [tables],
        )
        return {table: (oldest, newest) for table, oldest, newest in cursor.fetchall()}
