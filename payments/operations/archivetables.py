"""A month's table as archiving reads it: its columns, its rows in COPY's text format, what they add up to."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from psycopg import sql

from kernel.transactions import unit_of_work
from payments.archivefile import Column, Figures


def columns_of(table: str) -> tuple[Column, ...]:
    """The columns in their order, with their types as PostgreSQL spells them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
            """,
            [table],
        )
        return tuple(Column(*row) for row in cursor.fetchall())


def figures_of(table: str) -> Figures:
    """What the table's rows add up to, exactly: one pass over it."""
    statement = sql.SQL(
        "select currency, count(*), sum(amount), min(payment_date), max(payment_date) from {} group by currency"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.format(sql.Identifier(table)))
        found = cursor.fetchall()
    return Figures(
        rows=sum(rows for _, rows, _, _, _ in found),
        amounts={currency: amount for currency, _, amount, _, _ in found},
        oldest=min((oldest for _, _, _, oldest, _ in found), default=None),
        newest=max((newest for _, _, _, _, newest in found), default=None),
    )


@unit_of_work
def copy_out(table: str, columns: tuple[Column, ...], take: Callable[[bytes], object]) -> None:
    """Hands the table's rows to `take`, block by block, with a first line of column names; memory stays flat.

    Two runs over the same rows give the same bytes. It is a transaction only so that the spelling of moments, which
    is set here, goes with it.
    """
    statement = sql.SQL("copy {} ({}) to stdout with (format text, header true)").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    )
    with connection.cursor() as cursor:
        cursor.execute("set local time zone 'UTC'")
        cursor.execute("set local datestyle to 'ISO, YMD'")
        with cursor.copy(statement) as copy:
            for block in copy:
                take(bytes(block))
