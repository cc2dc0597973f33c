from __future__ import annotations

import pytest
from django.db import OperationalError, connection, transaction

from kernel.reading import ReadTookTooLong, limited_reading

pytestmark = pytest.mark.django_db(transaction=True)


def limit_now() -> str:
    with connection.cursor() as cursor:
        cursor.execute("show statement_timeout")
        return str(cursor.fetchone()[0])


def sleep(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_sleep(%s)", [seconds])


def test_a_statement_past_the_limit_is_ended_and_the_connection_stays_usable() -> None:
    with pytest.raises(ReadTookTooLong, match=r"ended after 0\.05 s"), limited_reading(milliseconds=50):
        sleep(10)
    assert limit_now() == "0"


def test_a_read_within_the_limit_goes_through() -> None:
    with limited_reading(milliseconds=5000):
        assert limit_now() == "5s"
    assert limit_now() == "0"


def test_inside_another_limit_the_outer_one_comes_back() -> None:
    with limited_reading(milliseconds=5000):
        with limited_reading(milliseconds=40):
            assert limit_now() == "40ms"
        assert limit_now() == "5s"
        with pytest.raises(ReadTookTooLong), limited_reading(milliseconds=40):
            sleep(10)
        assert limit_now() == "5s"


def test_inside_a_unit_of_work_the_work_before_it_is_kept() -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("create temporary table kept (number int) on commit drop")
            cursor.execute("insert into kept values (7)")
        with pytest.raises(ReadTookTooLong), limited_reading(milliseconds=40):
            sleep(10)
        with connection.cursor() as cursor:
            cursor.execute("select number from kept")
            assert cursor.fetchall() == [(7,)]


def test_other_faults_of_the_database_stay_what_they_are() -> None:
    with pytest.raises(OperationalError), limited_reading(milliseconds=1000), connection.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pg_backend_pid())")
    connection.close()
