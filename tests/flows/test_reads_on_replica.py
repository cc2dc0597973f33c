"""Partners read from the replica, payments are written to the primary, and nobody meets an error when it is away."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from kernel.replicas import REPLICA, rest
from tests.payments.recorded import record

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
PAYMENTS = "/api/v1/payments"


@pytest.fixture(scope="module", autouse=True)
def _second_name(django_db_setup: None) -> Iterator[None]:
    """The primary under a second name and without the right to write: what is not allowed there shows."""
    known = connections.settings["default"]
    options = known["OPTIONS"] | {"options": "-c default_transaction_read_only=on", "application_name": "the-replica"}
    connections.settings[REPLICA] = known | {"OPTIONS": options, "TEST": known["TEST"] | {"MIRROR": "default"}}
    yield
    del connections.settings[REPLICA]


@pytest.fixture
def replica() -> Iterator[Any]:
    rest.end()
    yield connections[REPLICA]
    connections[REPLICA].close()
    del connections[REPLICA]
    rest.end()


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    key: Any = SimpleNamespace(scopes=frozenset({"payments:read", "payments:stats"}), is_authenticated=True)
    client.force_authenticate(user=key, token=key)
    return client


def payment_reads(captured: CaptureQueriesContext) -> int:
    return sum('FROM "payment' in query["sql"] for query in captured)


def test_lists_and_details_are_read_on_the_replica_alone(client: APIClient, replica: Any) -> None:
    payment_id = record("R-1").payment_id
    for path in (PAYMENTS, f"{PAYMENTS}?reference=R-1", f"{PAYMENTS}/{payment_id}"):
        with CaptureQueriesContext(connection) as on_primary, CaptureQueriesContext(replica) as there:
            assert client.get(path).status_code == 200
        assert payment_reads(on_primary) == 0, path
        assert payment_reads(there) >= 1, path


def test_what_the_replica_lacks_is_looked_for_on_the_primary_before_it_is_called_missing(
    client: APIClient, replica: Any
) -> None:
    unknown = "01900000-0000-7000-8000-000000000000"
    with CaptureQueriesContext(connection) as on_primary:
        assert client.get(f"{PAYMENTS}/{unknown}").status_code == 404
        assert client.get(f"{PAYMENTS}?reference=R-9").json()["items"] == []
    assert payment_reads(on_primary) >= 2


def test_statistics_are_the_primarys(client: APIClient, replica: Any) -> None:
    with CaptureQueriesContext(replica) as there:
        assert client.get(f"{PAYMENTS}/stats").status_code == 200
    assert len(there) == 0


def test_a_replica_that_is_away_is_no_error_to_the_partner(client: APIClient, replica: Any) -> None:
    record("R-1")
    replica.settings_dict = replica.settings_dict | {"HOST": "/nowhere"}
    replica.close()
    for _ in range(3):
        answer = client.get(PAYMENTS)
        assert answer.status_code == 200
        assert [item["reference_number"] for item in answer.json()["items"]] == ["R-1"]
