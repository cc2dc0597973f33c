"""Dates never overlap, whoever writes: plain SQL, many at once, inserts and updates, each with its own connection."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError, connection

from tests.catalogue.priced import a_fee, a_filing_type, a_gl_code, a_link, a_product, a_schedule

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS = 8
ROUNDS = 12
FIRST = date(2026, 1, 1)
DAYS = 60
Values = dict[str, Any]


def of_schedules() -> Values:
    return {
        "product_id": a_product().pk,
        "filing_type_id": a_filing_type().pk,
        "fee_code_id": a_fee().pk,
        "variable": False,
        "on_price_list": True,
        "statutory_gst": False,
        "service_gst": False,
        "comments": "",
    }


def of_links() -> Values:
    return {"fee_schedule_id": a_schedule().pk, "gl_code_id": a_gl_code().pk}


def of_rates() -> Values:
    return {"tax_type": "GST", "rate": "0.0500"}


TABLES: dict[str, Callable[[], Values]] = {"fee_schedule": of_schedules, "gl_link": of_links, "tax_rate": of_rates}


def insert(table: str, values: Values, starts_on: date, ends_on: date | None) -> str:
    row = values | {"starts_on": starts_on, "ends_on": ends_on}
    marks = ", ".join(["%s"] * len(row))
    return tried(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def tried(sql: str, parameters: list[Any]) -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
    except DatabaseError as refused:
        return type(refused.__cause__).__name__
    return "written"


def at_once(act: Callable[[int], str]) -> list[str]:
    together = Barrier(WRITERS)

    def one(number: int) -> str:
        try:
            connection.ensure_connection()
            together.wait()
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def days_in_force(table: str, values: Values) -> list[date]:
    """Every day of the first months that a row of these values is in force on, once for each such row."""
    alike = " and ".join(f"{name} = %s" for name in alike_in(table))
    sql = f"select starts_on, ends_on from {table} where {alike}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [values[name] for name in alike_in(table)])
        ranges = cursor.fetchall()
    every_day = [FIRST + timedelta(days=number) for number in range(2 * DAYS)]
    return [day for start, end in ranges for day in every_day if start <= day and (end is None or day <= end)]


def alike_in(table: str) -> tuple[str, ...]:
    names = {"fee_schedule": ("product_id", "filing_type_id"), "gl_link": ("fee_schedule_id",)}
    return names.get(table, ("tax_type",))


@pytest.mark.parametrize("table", TABLES)
def test_of_many_that_are_inserted_at_once_no_two_share_a_day(table: str) -> None:
    chance = random.Random(table)
    values = TABLES[table]()
    written = 0
    for _ in range(ROUNDS):
        starts = [FIRST + timedelta(days=chance.randrange(DAYS)) for _ in range(WRITERS)]
        ends = [start + timedelta(days=chance.randrange(5)) for start in starts]

        outcomes = at_once(lambda number, starts=starts, ends=ends: insert(table, values, starts[number], ends[number]))  # type: ignore[misc]

        assert set(outcomes) <= {"written", "ExclusionViolation", "DeadlockDetected"}
        written += outcomes.count("written")
        in_force = days_in_force(table, values)
        assert len(in_force) == len(set(in_force))
    assert written >= 3


@pytest.mark.parametrize("table", TABLES)
def test_the_last_day_and_the_first_are_both_included_whoever_writes(table: str) -> None:
    values = TABLES[table]()
    last = FIRST + timedelta(days=9)
    assert insert(table, values, FIRST, last) == "written"

    assert insert(table, values, last, None) == "ExclusionViolation"
    assert insert(table, values, FIRST - timedelta(days=9), FIRST) == "ExclusionViolation"
    assert insert(table, values, last + timedelta(days=1), None) == "written"
    assert insert(table, values, FIRST - timedelta(days=9), FIRST - timedelta(days=1)) == "written"
    longer = f"update {table} set ends_on = %s where starts_on = %s"
    assert tried(longer, [last + timedelta(days=1), FIRST]) == "ExclusionViolation"
    assert tried(longer, [None, FIRST]) == "ExclusionViolation"
    assert tried(longer, [last, FIRST]) == "written"
    in_force = days_in_force(table, values)
    assert len(in_force) == len(set(in_force)) == 2 * DAYS


def test_a_price_that_is_made_longer_while_the_next_is_inserted_never_meets_it() -> None:
    values = of_schedules()
    for number in range(ROUNDS // 2):
        start = FIRST + timedelta(days=10 * number)
        assert insert("fee_schedule", values, start, start + timedelta(days=2)) == "written"
        longer = "update fee_schedule set ends_on = %s where starts_on = %s"

        def act(writer: int, start: date = start, longer: str = longer) -> str:
            if writer % 2:
                return tried(longer, [start + timedelta(days=6), start])
            return insert("fee_schedule", values, start + timedelta(days=5), start + timedelta(days=7))

        outcomes = at_once(act)

        assert set(outcomes) <= {"written", "ExclusionViolation", "DeadlockDetected"}
        in_force = days_in_force("fee_schedule", values)
        assert len(in_force) == len(set(in_force))


@pytest.mark.parametrize(
    ("segment", "wrong"),
    [
        ("stob", "stob"),
        ("stob", "123"),
        ("client", "1234"),
        ("client", "11"),
        ("responsibility_centre", "3236"),
        ("service_line", "347255"),
        ("project_code", "32000"),
        ("stob", ""),
    ],
)
def test_no_segment_of_another_width_or_letter_is_written_by_sql_either(segment: str, wrong: str) -> None:
    code = a_gl_code()
    a_link(a_schedule(), code)

    outcome = tried(f"update gl_code set {segment} = %s where id = %s", [wrong, code.pk])

    assert outcome in {"CheckViolation", "StringDataRightTruncation"}
    code.refresh_from_db()
    assert code.dotted == a_gl_code("Another").dotted
