"""Deletes old sealed rows, whole seals at a time, and leaves a sealed record of each in their place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from kernel.audit.actors import Actor
from kernel.audit.models import NEVER_RETIRED_WITHIN, AuditRetirement, AuditSeal
from kernel.audit.operations import record_entry
from kernel.audit.sources import SealedSource
from kernel.errors import Conflict
from kernel.transactions import inside_unit_of_work

SEALS_AT_ONCE = 200


class RetirementMismatch(Conflict):
    """Other rows were deleted than were recorded as retired."""

    code = "retirement-mismatch"


@dataclass(frozen=True, slots=True)
class SealedRows:
    """What is known of one seal's rows. `is_intact`: they are as they were sealed. `may_go`: all are free to go.

    Without any row, which is not intact, the times are those of 1970.
    """

    sequence: int
    is_intact: bool
    may_go: bool
    first_recorded_at: datetime
    last_recorded_at: datetime
    counts: dict[str, int]

    @property
    def entry_count(self) -> int:
        return sum(self.counts.values())

    def is_retirable(self, *, before: datetime) -> bool:
        return self.is_intact and self.may_go and self.last_recorded_at < before


def groups_of_old_seals(source: SealedSource, *, before: datetime, rows: int) -> Iterator[list[int]]:
    """The sequences of seals made before `before` and not retired yet, in order, in groups of at most `rows` rows.

    A seal that covers more than `rows` is a group alone.
    """
    group: list[int] = []
    size = 0
    for sequence, entry_count in _old_seals(source, before=before):
        if group and (size + entry_count > rows or len(group) >= SEALS_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(sequence)
        size += entry_count
    if group:
        yield group


def judge(source: SealedSource, sequences: Sequence[int]) -> list[SealedRows]:
    """Reads the rows of these seals and compares each seal with its rows."""
    with connection.cursor() as cursor:
        cursor.execute(source.sql("judge_seals"), {"sequences": list(sequences)})
        return [SealedRows(*row) for row in _with_json(cursor.fetchall())]


@inside_unit_of_work
def retire(
    source: SealedSource, sequences: Sequence[int], *, before: datetime, run_id: UUID, actor: Actor, at: datetime
) -> int:
    """Retires those of the seals whose rows are intact, all older than `before`, and all free to go; gives the rows.

    The others stay as they are. Raises RetirementMismatch when the rows changed meanwhile.
    """
    before = min(before, at - NEVER_RETIRED_WITHIN)
    retirable = [rows for rows in judge(source, sequences) if rows.is_retirable(before=before)]
    if not retirable:
        return 0
    operation = uuid4()
    digests = dict(
        AuditSeal.objects.filter(sequence__in=[rows.sequence for rows in retirable]).values_list(
            "sequence", "content_digest"
        )
    )
    AuditRetirement.objects.bulk_create(
        AuditRetirement(
            operation=operation,
            seal_sequence=rows.sequence,
            source=source.name,
            retired_at=at,
            first_recorded_at=rows.first_recorded_at,
            last_recorded_at=rows.last_recorded_at,
            entry_count=rows.entry_count,
            content_digest=digests[rows.sequence],
            counts=rows.counts,
            job_run_id=run_id,
        )
        for rows in retirable
    )
    deleted = _delete(source, [rows.sequence for rows in retirable], operation)
    if deleted != sum(rows.entry_count for rows in retirable):
        raise RetirementMismatch(f"{deleted} rows of {source.name} would go, and others were recorded as retired.")
    record_entry(
        actor=actor,
        action="seals.retired",
        subject=("audit.auditretirement", str(operation)),
        after={
            "source": source.name,
            "seals": len(retirable),
            "first_seal": retirable[0].sequence,
            "last_seal": retirable[-1].sequence,
            "rows": deleted,
            "job_run": str(run_id),
        },
        at=at,
    )
    return deleted


def _old_seals(source: SealedSource, *, before: datetime) -> Iterator[tuple[int, int]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "select sequence, entry_count, sealed_at from audit_seal where source = %s and sequence > %s"
                " and not exists (select from audit_retirement where seal_sequence = audit_seal.sequence)"
                " order by sequence limit %s",
                [source.name, after, SEALS_AT_ONCE],
            )
            seals = cursor.fetchall()
        for sequence, entry_count, sealed_at in seals:
            # Seals follow one another in time, and none was made before its rows.
            if sealed_at >= before:
                return
            after = sequence
            yield sequence, entry_count
        if len(seals) < SEALS_AT_ONCE:
            return


def _delete(source: SealedSource, sequences: list[int], operation: UUID) -> int:
    with connection.cursor() as cursor:
        # The triggers of the table let rows go for this operation, in this transaction alone.
        cursor.execute("select set_config('paymentsite.retirement', %s, true)", [str(operation)])
        # Ranges are joined: only by the primary key is that cheap, whatever the planner believes of the ranges.
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(source.sql("delete_retired"), {"sequences": sequences})
        deleted: int = cursor.rowcount
        cursor.execute("select set_config('paymentsite.retirement', '', true)")
    return deleted


def _with_json(rows: list[Any]) -> Iterator[tuple[Any, ...]]:
    for *columns, counts in rows:
        yield (*columns, json.loads(counts) if isinstance(counts, str) else counts)
