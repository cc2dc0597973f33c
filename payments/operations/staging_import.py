"""Puts payments into the staging table where no ETL does: from a CSV file, by an operator or for a trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from kernel.transactions import unit_of_work
from payments.models import StagingRejection
from payments.recorder import staging_table
from payments.stagingfile import COLUMNS, StagingLine


@dataclass(frozen=True, slots=True)
class StagingImport:
    """How many lines were staged, and how many could not be and are kept as rejections."""

    staged: int
    rejected: int


@unit_of_work
def stage_lines(lines: Iterable[StagingLine], *, origin: str, at: datetime) -> StagingImport:
    """Stages every line that the table can hold and keeps each other one as a rejection of `origin` and its line.

    All or nothing: when reading the lines raises half-way, nothing is staged.
    """
    rejections, staged = [], 0
    with connection.cursor() as cursor:
        # psycopg's own cursor: Django's wrapper has no COPY.
        with cursor.copy(f"copy {staging_table()} ({', '.join(COLUMNS)}) from stdin") as copy:
            for line in lines:
                if line.row is not None:
                    copy.write_row(line.row)
                    staged += 1
                else:
                    rejections.append(_rejection(line, origin, at))
    StagingRejection.objects.bulk_create(rejections, batch_size=1000)
    return StagingImport(staged, len(rejections))


def _rejection(line: StagingLine, origin: str, at: datetime) -> StagingRejection:
    return StagingRejection(
        origin=f"{origin} line {line.number}"[:255],
        reference_number=line.raw.get("reference_number") or "",
        reasons=list(line.reasons),
        raw=line.raw,
        rejected_at=at,
    )
