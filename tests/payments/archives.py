"""Months of payments that are old enough for the archive, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.audit.sealing import seal_all
from kernel.periods import Month
from payments.models import PartitionArchive
from payments.operations.archiving import MonthPlan, carry_out, plans
from payments.operations.recording import record_notice
from payments.partitioning import PAYMENT_PARTITIONS, known_months, oldest_kept
from payments.states import PaymentSource
from tests.payments.recorded import notice

OLD = Month.parse("2024_02")
LEAP_DAY = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
AWKWARD = {"note": "tab\tnewline\nbackslash\\N", "deep": {"é": [1, "2", None]}, "number": 12}
ACTOR = Actor.system("test")


def forget_archives() -> None:
    """No month that is due, and no detached or restored table, is left from another test."""
    due = [
        PAYMENT_PARTITIONS.name_of(month)
        for month in PAYMENT_PARTITIONS.months()
        if month < oldest_kept(timezone.now())
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            r"select relname from pg_class where relkind = 'r' and relname ~ '^payments_(detached|restored)_'"
        )
        for name in [*due, *(found for (found,) in cursor.fetchall())]:
            cursor.execute(f"drop table {name}")
    known_months.refresh()


def record_at(reference: str, paid_at: datetime, **changes: Any) -> Any:
    """A payment of that moment, recorded two days later."""
    given = notice(reference, payment_date=paid_at, **changes)
    return record_notice(given, source=PaymentSource.MANUAL, at=paid_at + timedelta(days=2))


def an_old_month(count: int = 5) -> list[str]:
    """Payments of February 2024, ready to be archived; gives their references."""
    references = [f"OLD-{number}" for number in range(count)]
    for number, reference in enumerate(references):
        record_at(
            reference,
            LEAP_DAY - timedelta(hours=number),
            amount=Decimal("10.05") + number,
            currency="USD" if number % 3 == 2 else "CAD",
            payment_channel=None if number % 2 else "branch",
            metadata=AWKWARD if number == 0 else None,
        )
    release()
    return references


def release() -> None:
    """Closes everything that holds payments back: prunes the gate, delivers the events, seals."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into payment_references_history "
            "select reference_number, payment_id, payment_date, created_at, 'digest' from payment_references "
            "on conflict do nothing"
        )
        cursor.execute("delete from payment_references")
        cursor.execute("delete from outbox_delivery")
    seal_all(at=timezone.now())


def the_plan() -> MonthPlan:
    (plan,) = plans(month=OLD, clock=timezone.now)
    return plan


def archive_it() -> PartitionArchive:
    """Archives the old month to its end."""
    return carry_out(the_plan(), actor=ACTOR, clock=timezone.now)


def table_names() -> set[str]:
    """The tables of the old month, whatever they are."""
    with connection.cursor() as cursor:
        cursor.execute(r"select relname from pg_class where relkind = 'r' and relname ~ '2024_02'")
        return {name for (name,) in cursor.fetchall()}


def rows_of(table: str, where: str = "true") -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"select {table}.*, {table}::text from {table} where {where} order by id")
        return cursor.fetchall()
