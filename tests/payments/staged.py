"""Staged rows for tests: made in the ETL's table, counted in ours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from payments.operations.staging_table import create_staging_table
from payments.partitioning import ensure_partitions_ahead, known_months
from payments.recorder import staging_table

AT = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
COLUMNS = ("reference_number", "loan_account_number", "cif", "amount", "payment_date", "payment_channel", "metadata")


def prepare_staging() -> None:
    """The staging table, empty, and the partitions around AT; what another test had cached is forgotten."""
    create_staging_table()
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {staging_table()} restart identity")
    known_months.refresh()
    ensure_partitions_ahead(at=AT)
    known_months.refresh()


def a_row(reference: str = "REF-1", **changes: Any) -> dict[str, Any]:
    """A staged row that can be recorded, with changes."""
    return {
        "reference_number": reference,
        "loan_account_number": "LN100",
        "cif": "CIF7",
        "amount": "120.50",
        "payment_date": (AT - timedelta(hours=2)).replace(tzinfo=None),
        "payment_channel": "online-banking",
        "metadata": None,
    } | changes


def stage(*rows: dict[str, Any]) -> list[int]:
    """Inserts the rows and gives their ids."""
    names = ", ".join(COLUMNS)
    places = ", ".join(["%s"] * len(COLUMNS))
    ids = []
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(
                f"insert into {staging_table()} ({names}) values ({places}) returning id",
                [row[name] for name in COLUMNS],
            )
            ids.append(cursor.fetchone()[0])
    return ids


def stage_many(count: int, *, duplicate_every: int = 0) -> int:
    """Stages so many generated rows in one statement; every nth repeats the one before. Gives how many are distinct."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            insert into {staging_table()} ({", ".join(COLUMNS)})
            select 'BULK-' || n, 'LN' || n %% 977, 'CIF' || n %% 977, (n %% 50000 + 100) / 100.0,
                   %s::timestamp - (n %% 1000) * interval '1 minute', 'online-banking', '{{"line": 1}}'
            from (
                select case when %s > 0 and place %% greatest(%s, 1) = 0 then place - 1 else place end as n
                from generate_series(1, %s) place
            ) numbered
            """,
            [AT.replace(tzinfo=None), duplicate_every, duplicate_every, count],
        )
    return count - (count // duplicate_every if duplicate_every else 0)


def count(table: str, where: str = "true", parameters: Iterable[Any] = ()) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table} where {where}", list(parameters))
        return int(cursor.fetchone()[0])


def everything_counted() -> dict[str, int]:
    """How many rows each table of recording holds."""
    tables = (
        "payments",
        "payment_references",
        "outbox_event",
        "outbox_delivery",
        "staging_rejection",
        "reference_conflict",
        "staging_duplicate",
        "staging_process_log",
    )
    return {table: count(table) for table in tables}
