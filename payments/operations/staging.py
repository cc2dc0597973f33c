"""One chunk of staged rows in one transaction: recorded, settled, marked and logged together, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from kernel.currencies import CURRENCY_EXPONENTS
from kernel.periods import Month
from kernel.transactions import unit_of_work
from kernel.uuids import uuid7
from payments.limits import notice_limits
from payments.models import StagingProcessLog, StagingRejection
from payments.partitioning import known_months
from payments.recorder import id_prefix, parameters, record_staged_rows_sql, settle_staged_rows_sql, staging_table
from payments.states import BatchStatus, PaymentSource

# A staging table that was just loaded has no statistics, and the planner then reads and sorts all that is left of it
# for every batch. For the length of a batch's transaction it is held to the primary key, and its sorts to memory.
BY_PRIMARY_KEY = """
select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('work_mem', '64MB', true)
"""


class PartitionMissing(Exception):
    """Staged rows fall into months that have no partition yet; the chunk was rolled back."""

    def __init__(self, months: Sequence[Month]) -> None:
        self.months = tuple(months)
        super().__init__(", ".join(month.label for month in months))


class ReferenceVanished(Exception):
    """A claimed reference was released while the chunk waited for it; the chunk was rolled back and can be repeated."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The outcome of one chunk. total = recorded + duplicates + conflicts + rejected; ids are of the staging table."""

    batch_id: UUID
    total: int
    recorded: int
    duplicates: int
    conflicts: int
    rejected: int
    first_id: int
    last_id: int


@unit_of_work
def record_chunk(*, batch_size: int, after_id: int, attempt: int, at: datetime) -> Chunk | None:
    """Records the next unprocessed staged rows above after_id, batch_size at the most; None when there are none.

    Rows that another session holds are passed over. Raises PartitionMissing, ReferenceVanished, and the database's own
    errors; after each of them nothing of the chunk is written.
    """
    return _record(record_staged_rows_sql(batch_size), {"after_id": after_id}, attempt=attempt, at=at)


@unit_of_work
def record_rows(row_ids: Sequence[int], *, attempt: int, at: datetime) -> Chunk | None:
    """The same for the unprocessed rows among these ids: how a chunk is taken apart when one of its rows breaks it."""
    return _record(record_staged_rows_sql(None), {"row_ids": list(row_ids)}, attempt=attempt, at=at)


@unit_of_work
def reject_row(row_id: int, *, cause: str, at: datetime) -> Chunk | None:
    """Puts aside a row that the database itself refuses, with what it said; None when somebody else was faster."""
    batch_id = uuid7(at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select to_jsonb(staged) from {staging_table()} staged "  # noqa: S608 - a checked setting
            "where id = %s and processed is not true for update skip locked",
            [row_id],
        )
        found = cursor.fetchone()
        if found is None:
            return None
        _mark(cursor, row_id, at)
    raw = json.loads(found[0])
    StagingRejection.objects.create(
        batch_id=batch_id,
        staging_id=row_id,
        reference_number=raw.get("reference_number") or "",
        reasons=["not_storable"],
        raw=raw | {"database_message": cause},
        rejected_at=at,
    )
    chunk = Chunk(batch_id, 1, 0, 0, 0, 1, row_id, row_id)
    _log(chunk, attempt=1, at=at)
    return chunk


@unit_of_work
def log_failed_chunk(
    *, first_id: int, last_id: int, total: int, attempts: int, cause: str, started_at: datetime, at: datetime
) -> StagingProcessLog:
    """Keeps that a chunk was given up after its retries; its rows are untouched and wait for the next run."""
    return StagingProcessLog.objects.create(
        id=uuid7(at),
        batch_start_id=first_id,
        batch_end_id=last_id,
        total_records=total,
        status=BatchStatus.FAILED.value,
        attempts=attempts,
        started_at=started_at,
        completed_at=at,
        error_details={"cause": cause},
    )


def unprocessed_ids(*, batch_size: int, after_id: int) -> list[int]:
    """The ids that the next chunk would take, without locking them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select id from {staging_table()} "  # noqa: S608 - a checked setting
            "where processed is not true and id > %s order by id limit %s",
            [after_id, batch_size],
        )
        return [row_id for (row_id,) in cursor.fetchall()]


def count_unprocessed() -> int:
    """How many staged rows wait, exactly: one pass over the staging table."""
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {staging_table()} where processed is not true")  # noqa: S608
        return int(cursor.fetchone()[0])


def _record(statement: str, selection: Mapping[str, Any], *, attempt: int, at: datetime) -> Chunk | None:
    limits = notice_limits(at)
    batch_id = uuid7(at)
    values = {
        **parameters(source=PaymentSource.STAGING, batch_id=batch_id, months=known_months.ranges(), at=at),
        **selection,
        "id_prefix": id_prefix(at),
        "currency": settings.STAGING_CURRENCY,
        "currency_exponent": min(CURRENCY_EXPONENTS[settings.STAGING_CURRENCY], 2),
        "zone": settings.STAGING_ZONE.key,
        "oldest": at - limits.max_age,
        "newest": at + limits.max_future,
    }
    with connection.cursor() as cursor:
        cursor.execute(BY_PRIMARY_KEY)
        cursor.execute(statement, values)
        total, first_id, last_id, recorded, rejected, months, known_ids = cursor.fetchone()
        if months:
            raise PartitionMissing([Month(first_on) for first_on in months])
        if not total:
            return None
        duplicates, conflicts = _settle(cursor, known_ids or [], values)
    chunk = Chunk(batch_id, total, recorded, duplicates, conflicts, rejected, first_id, last_id)
    _log(chunk, attempt=attempt, at=at)
    return chunk


def _settle(cursor: CursorWrapper, row_ids: list[int], values: Mapping[str, Any]) -> tuple[int, int]:
    """(duplicates, conflicts) among rows whose reference was known; the whole chunk is undone if one has vanished."""
    if not row_ids:
        return 0, 0
    cursor.execute(settle_staged_rows_sql(), {**values, "row_ids": row_ids})
    settled, duplicates, conflicts = cursor.fetchone()
    if settled != len(row_ids):
        raise ReferenceVanished
    return duplicates, conflicts


def _mark(cursor: CursorWrapper, row_id: int, at: datetime) -> None:
    cursor.execute(
        f"update {staging_table()} set processed = true, "  # noqa: S608 - a checked setting
        "processed_at = %s::timestamptz at time zone %s::text where id = %s",
        [at, settings.STAGING_ZONE.key, row_id],
    )


def _log(chunk: Chunk, *, attempt: int, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into staging_process_log (
                id, batch_start_id, batch_end_id, total_records, processed_records, duplicate_records,
                conflict_records, error_records, status, attempts, started_at, completed_at
            ) values (%s, %s, %s, %s, %s, %s, %s, %s, 'completed', %s, %s::timestamptz, clock_timestamp())
            """,
            [
                chunk.batch_id,
                chunk.first_id,
                chunk.last_id,
                chunk.total,
                chunk.recorded,
                chunk.duplicates,
                chunk.conflicts,
                chunk.rejected,
                attempt,
                at,
            ],
        )
