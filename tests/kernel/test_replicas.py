"""Reads that may be a moment old: which server answers them, and what happens while the replica is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from accounts.models import ApiClient
from kernel.reading import ReadTookTooLong, limited_reading
from kernel.replicas import REPLICA, WriteOnReplica, on_replica, read_alias, rest

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
READER = "paymentsite_reader"


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


@pytest.fixture
def replica() -> Iterator[Any]:
    rest.end()
    yield connections[REPLICA]
    connections[REPLICA].close()
    rest.end()


def answered(by: str) -> float:
    return REGISTRY.get_sample_value("paymentsite_replica_reads_total", {"answered_by": by}) or 0.0


def user() -> str:
    with connections[read_alias()].cursor() as cursor:
        cursor.execute("select current_user")
        return str(cursor.fetchone()[0])


def test_without_a_replica_the_primary_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(connections.settings, REPLICA)
    assert on_replica(user) != READER
    assert on_replica(read_alias) == "default"


def test_with_a_replica_only_what_asks_for_it_goes_there(replica: Any) -> None:
    before = answered("replica")
    assert on_replica(user) == READER
    assert user() != READER
    assert answered("replica") == before + 1


def test_models_and_limited_reads_follow(replica: Any) -> None:
    def read() -> list[Any]:
        with limited_reading(milliseconds=1000):
            return list(ApiClient.objects.all())

    with CaptureQueriesContext(connection) as on_primary, CaptureQueriesContext(replica) as there:
        assert on_replica(read) == []
    assert len(on_primary) == 0
    assert any(ApiClient._meta.db_table in query["sql"] for query in there)


def test_a_replica_that_is_away_is_an_answer_of_the_primary_and_is_left_alone_for_a_while(replica: Any) -> None:
    connections[REPLICA].close()
    connections[REPLICA].settings_dict = replica.settings_dict | {"HOST": "/nowhere"}
    before = answered("primary")
    asked: list[str] = []

    def read() -> str:
        asked.append(read_alias())
        return user()

    assert on_replica(read) != READER
    assert on_replica(read) != READER
    assert asked == [REPLICA, "default", "default"]
    assert answered("primary") == before + 2
    rest.end()
    connections[REPLICA].settings_dict = connections.settings[REPLICA]
    assert on_replica(read) == READER


def test_what_the_replica_does_not_know_yet_the_primary_is_asked(replica: Any) -> None:
    before = answered("both")
    asked: list[str] = []

    def read() -> str | None:
        asked.append(read_alias())
        return None if read_alias() == REPLICA else "found"

    assert on_replica(read, is_enough=lambda found: found is not None) == "found"
    assert asked == [REPLICA, "default"]
    assert answered("both") == before + 1


def test_a_read_that_takes_too_long_is_not_tried_again_on_the_primary(replica: Any) -> None:
    asked: list[str] = []

    def read() -> None:
        asked.append(read_alias())
        with limited_reading(milliseconds=20), connections[read_alias()].cursor() as cursor:
            cursor.execute("select pg_sleep(5)")

    with pytest.raises(ReadTookTooLong):
        on_replica(read)
    assert asked == [REPLICA]


def test_an_error_of_the_primary_passes_on(replica: Any) -> None:
    def read() -> None:
        raise OperationalError("both are away")

    with pytest.raises(OperationalError, match="both are away"):
        on_replica(read)


def test_nothing_is_written_inside_a_read(replica: Any) -> None:
    def write() -> None:
        ApiClient.objects.create(name="x", created_at=datetime.now(UTC))

    with pytest.raises(WriteOnReplica, match="ApiClient is not written inside a read"):
        on_replica(write)
    assert ApiClient.objects.count() == 0
    assert read_alias() == "default"
