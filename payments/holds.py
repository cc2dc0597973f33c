"""What holds a month of payments back from the archive: a list of reasons, to which apps above add their own.

A reason is a query over the month's own table, so that it finds the very payments that would leave.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from psycopg import sql

from kernel.audit.sealing import unsealed_positions
from kernel.audit.sources import source_named

SAMPLES = 5
# A payment's row carries the moment at which its recording began. No unit of work of ours stays open for this long.
RECORDING_ENDS_WITHIN = timedelta(hours=1)
UNSEALED_LIMIT = 100_000
RECORDED_RECENTLY = "recorded-recently"


@dataclass(frozen=True, slots=True)
class Held:
    """How many of what hold the month back, and the ids of the first few."""

    count: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason. `find(table, at)` gives what holds the payments of that table back, or None."""

    name: str
    sentence: str
    find: Callable[[str, datetime], Held | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason that applies: its sentence, how many, and samples of their ids."""

    name: str
    sentence: str
    count: int
    samples: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "sentence": self.sentence, "count": self.count, "samples": list(self.samples)}

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.samples) else ""
        return f"{self.count:,} {self.sentence} ({', '.join(self.samples)}{more})"


_holds: dict[str, Hold] = {}


def register_hold(hold: Hold) -> None:
    """Adds a reason, or replaces that of the same name. Called once per process, when an app is ready."""
    _holds[hold.name] = hold


def find_holds(table: str, *, at: datetime, only: Collection[str] | None = None) -> tuple[Finding, ...]:
    """Every reason (or every one of `only`) why the payments of this table must stay, by name.

    Reads the table about once for each reason.
    """
    found = []
    for name in sorted(_holds if only is None else only):
        hold = _holds[name]
        held = hold.find(table, at)
        if held is not None and held.count:
            found.append(Finding(name, hold.sentence, held.count, held.samples))
    return tuple(found)


def held_by(statement: str, table: str, **parameters: Any) -> Held | None:
    """Runs a query whose rows are (id as text) of what holds `{table}` back; None when there are none.

    The statement writes the table as {table} and parameters as %(name)s.
    """
    query = sql.SQL("select id, count(*) over () from ({statement}) held (id) order by id limit {limit}").format(
        statement=sql.SQL(statement).format(table=sql.Identifier(table)),
        limit=sql.Literal(SAMPLES),
    )
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows = cursor.fetchall()
    return Held(rows[0][1], tuple(row[0] for row in rows)) if rows else None


def _recorded_recently(table: str, at: datetime) -> Held | None:
    return held_by(
        "select payment.id::text from {table} payment where payment.created_at >= %(since)s",
        table,
        since=at - RECORDING_ENDS_WITHIN,
    )


def _references_in_the_gate(table: str, at: datetime) -> Held | None:
    return held_by(
        """
        select payment.id::text from {table} payment
        where exists (
                select from payment_references reference where reference.reference_number = payment.reference_number
            )
            or exists (
                select from payment_references_previous reference
                where reference.reference_number = payment.reference_number
            )
        """,
        table,
    )


def _open_conflicts(table: str, at: datetime) -> Held | None:
    return held_by(
        """
        select conflict.id::text from reference_conflict conflict
        join {table} payment on payment.id = conflict.payment_id and payment.payment_date = conflict.payment_date
        where conflict.status = 'open'
        """,
        table,
    )


def _open_rejections(table: str, at: datetime) -> Held | None:
    return held_by(
        """
        select rejection.id::text from staging_rejection rejection
        join {table} payment on payment.reference_number = rejection.reference_number
        where rejection.status = 'open'
        """,
        table,
    )


def _unpublished_events(table: str, at: datetime) -> Held | None:
    return held_by(
        """
        select delivery.position::text from outbox_delivery delivery
        join outbox_event event using (position)
        join {table} payment on payment.id::text = event.subject
        """,
        table,
    )


def _unsealed_events(table: str, at: datetime) -> Held | None:
    positions = unsealed_positions(source_named("outbox_event"), at=at, limit=UNSEALED_LIMIT)
    if len(positions) == UNSEALED_LIMIT:
        # So far behind, nobody can say what is sealed.
        return Held(len(positions), tuple(str(position) for position in positions[:SAMPLES]))
    return held_by(
        """
        select event.position::text from outbox_event event
        join {table} payment on payment.id::text = event.subject
        where event.position = any (%(positions)s::bigint[])
        """,
        table,
        positions=positions,
    )


for own in (
    Hold(RECORDED_RECENTLY, "payments were recorded within the last hour", _recorded_recently),
    Hold("reference-in-gate", "payments whose reference is not pruned yet", _references_in_the_gate),
    Hold("open-conflict", "conflicts with its payments wait for a decision", _open_conflicts),
    Hold("open-rejection", "rejected rows name its references and wait for a decision", _open_rejections),
    Hold("event-unpublished", "events of its payments are not delivered yet", _unpublished_events),
    Hold("event-unsealed", "events of its payments are not sealed in the audit yet", _unsealed_events),
):
    register_hold(own)
