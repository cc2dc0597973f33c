"""Exports go to the replica when there is one, and to the primary while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from kernel.replicas import REPLICA, rest
from kernel.restapi.exportcolumns import Column
from kernel.restapi.exports import Export, csv_response, places

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
READER = "paymentsite_reader"
WHO = Export([Column("who")], "select current_user::text")


@pytest.fixture(scope="module", autouse=True)
def _second_name(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The same database under a second name, as a user who can do nothing but read."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("select 1 from pg_roles where rolname = %s", [READER])
        if cursor.fetchone() is None:
            cursor.execute(f"create role {READER} login")
        cursor.execute(f"grant pg_read_all_data to {READER}")
    known = connections.settings["default"]
    connections.settings[REPLICA] = known | {"USER": READER, "TEST": known["TEST"] | {"MIRROR": "default"}}
    yield
    del connections.settings[REPLICA]


@pytest.fixture(autouse=True)
def _rested() -> Iterator[None]:
    rest.end()
    yield
    rest.end()
    assert places.taken == 0


def answered_by(**how: Any) -> str:
    return b"".join(csv_response(WHO, "x", **how)).decode().splitlines()[1]


def test_the_replica_answers_unless_the_view_wants_the_primary() -> None:
    assert answered_by() == READER
    assert answered_by(from_replica=False) != READER


def test_while_the_replica_is_away_the_primary_answers_and_nobody_tries_it_for_a_while() -> None:
    connections.settings[REPLICA] |= {"HOST": "/nowhere"}
    assert answered_by() != READER
    assert not rest.is_over()
    connections.settings[REPLICA] |= {"HOST": connections.settings["default"]["HOST"]}
    assert answered_by() != READER
    rest.end()
    assert answered_by() == READER


def test_what_is_wrong_with_the_query_is_not_the_replicas_fault() -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        csv_response(Export([Column("a")], "select a from no_such_table"), "x")
    assert rest.is_over()
