"""Monthly partitions: made ahead, made once, and emptied of strays."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction
from django.db.utils import Error

from kernel.partitions import MonthlyPartitions
from kernel.periods import Month
from kernel.transactions import TransactionMisuse, unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)
PAYMENTS = MonthlyPartitions("payments")
INSERT = """
    insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date, source)
    values (gen_random_uuid(), %s, 'LN1', 'CIF1', 5, 'CAD', %s, 'manual')
"""


def month(label: str) -> Month:
    return Month.parse(label)


@unit_of_work
def ensure(*labels: str) -> list[Month]:
    return PAYMENTS.ensure([month(label) for label in labels])


@pytest.fixture(autouse=True)
def _without_test_partitions() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for label in ("2031_01", "2031_02", "2032_02"):
            cursor.execute(f"drop table if exists payments_{label}")


def insert(reference: str, paid_at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [reference, paid_at])


def count_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        return int(cursor.fetchone()[0])


def test_missing_months_are_made_and_known_ones_are_left_alone() -> None:
    assert ensure("2031_02", "2031_01") == [month("2031_01"), month("2031_02")]
    assert ensure("2031_01", "2031_02") == []
    assert {month("2031_01"), month("2031_02")} <= set(PAYMENTS.months())


def test_a_month_begins_at_midnight_utc_and_ends_before_the_next() -> None:
    ensure("2031_01", "2031_02")

    insert("last", datetime(2031, 1, 31, 23, 59, 59, 999999, tzinfo=UTC))
    insert("first", datetime(2031, 2, 1, tzinfo=UTC))

    assert (count_of("payments_2031_01"), count_of("payments_2031_02")) == (1, 1)


def test_a_leap_day_has_its_partition() -> None:
    ensure("2032_02")

    insert("leap", datetime(2032, 2, 29, 12, tzinfo=UTC))

    assert count_of("payments_2032_02") == 1


def test_a_new_partition_has_the_four_indexes_and_the_key_of_its_parent() -> None:
    ensure("2031_01")

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_indexes where tablename = 'payments_2031_01'")
        assert cursor.fetchone() == (5,)


@pytest.mark.parametrize(
    "statement",
    ["update payments set amount = 6", "delete from payments", "truncate payments", "truncate payments_2031_01"],
)
def test_payments_in_a_new_partition_can_neither_be_changed_nor_removed(statement: str) -> None:
    ensure("2031_01")
    insert("kept", datetime(2031, 1, 5, tzinfo=UTC))

    with pytest.raises(Error, match="only ever added"), connection.cursor() as cursor:
        cursor.execute(statement)

    assert count_of("payments_2031_01") == 1


def test_ten_sessions_at_once_make_a_month_once() -> None:
    made: list[list[Month]] = []

    def make() -> None:
        try:
            made.append(ensure("2031_01"))
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made, key=len) == [[]] * 9 + [[month("2031_01")]]


def test_partitions_are_made_inside_a_unit_of_work_only() -> None:
    with pytest.raises(TransactionMisuse):
        PAYMENTS.ensure([month("2031_01")])

    assert month("2031_01") not in PAYMENTS.months()


def test_stray_payments_move_from_the_default_partition_to_their_month() -> None:
    insert("stray", datetime(2031, 1, 5, tzinfo=UTC))
    assert PAYMENTS.default_rows() == 1

    moved = unit_of_work(PAYMENTS.empty_default)("payment_date")

    assert moved == 1
    assert PAYMENTS.default_rows() == 0
    assert count_of("payments_2031_01") == 1
    with pytest.raises(Error, match="only ever added"), connection.cursor() as cursor:
        cursor.execute("delete from payments")


def test_partitions_are_listed_with_their_months_in_order() -> None:
    ensure("2031_02", "2031_01")

    labels = [partition.month.label for partition in PAYMENTS.existing()]

    assert labels == sorted(labels)
    assert PAYMENTS.name_of(Month(date(2031, 1, 1))) in {partition.name for partition in PAYMENTS.existing()}
