"""The web process's pool after PostgreSQL was away: dead connections are replaced, not handed out one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from paymentsite.monitoring import pool as module

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 4
NAME = "pool under test"


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectionPool]:
    settings = connection.settings_dict
    where = {"dbname": settings["NAME"], "user": settings["USER"], "host": settings["HOST"], "application_name": NAME}
    with ConnectionPool(min_size=SIZE, max_size=SIZE, timeout=5, kwargs=where, open=True) as opened:
        opened.wait()

        class Connection:
            pool = opened

        monkeypatch.setattr(module, "connection", Connection())
        yield opened


def cut_off() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = %s", [NAME]
        )
        assert cursor.fetchone() == (SIZE,)


def failures_of(pool: ConnectionPool, requests: int) -> int:
    failed = 0
    for _ in range(requests):
        try:
            with pool.connection() as borrowed:
                borrowed.execute("select 1")
        except psycopg.OperationalError:
            failed += 1
    return failed


def test_after_the_first_error_no_request_gets_a_dead_connection(pool: ConnectionPool) -> None:
    cut_off()
    assert failures_of(pool, 1) == 1

    known_lost = module.replace_lost_connections(0)

    assert known_lost == SIZE
    assert failures_of(pool, 3 * SIZE) == 0
    assert module.replace_lost_connections(known_lost) == known_lost


def test_without_the_look_every_dead_connection_would_cost_a_request(pool: ConnectionPool) -> None:
    cut_off()

    assert failures_of(pool, SIZE) >= SIZE - 1


def test_a_pool_that_lost_nothing_is_left_alone(pool: ConnectionPool) -> None:
    with suppress(psycopg.Error), pool.connection() as borrowed:
        borrowed.execute("select 1 / 0")

    assert module.replace_lost_connections(0) == 0


def test_a_process_without_a_pool_has_nothing_to_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        pool = None

    monkeypatch.setattr(module, "connection", Connection())

    assert module.replace_lost_connections(7) == 7
