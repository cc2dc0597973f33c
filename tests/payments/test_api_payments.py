from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from payments.models import Payment, PaymentReference
from payments.partitioning import ensure_partitions_for, month_of
from payments.states import PaymentSource
from tests.payments.recorded import AT, record

pytestmark = pytest.mark.django_db(transaction=True)

PAYMENTS = "/api/v1/payments"


def client_with(*scopes: str) -> APIClient:
    client = APIClient()
    key: Any = SimpleNamespace(scopes=frozenset(scopes), is_authenticated=True)
    client.force_authenticate(user=key, token=key)
    return client


@pytest.fixture
def client() -> APIClient:
    return client_with("payments:read")


def references(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(PAYMENTS, query)
    assert answer.status_code == 200, answer.content
    return [item["reference_number"] for item in answer.json()["items"]]


def refusal(client: APIClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(path, query)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code == 422
    body: dict[str, Any] = json.loads(answer.content)
    return body


def payment_statements(call: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured.captured_queries if 'FROM "payment' in query["sql"]]


def test_a_payment_reads_as_it_was_recorded(client: APIClient) -> None:
    recorded = record("R-1", metadata={"note": "café ☕", "share": Decimal("0.10"), "large": 10**30})
    answer = client.get(PAYMENTS)
    assert answer.status_code == 200
    [item] = json.loads(answer.content, parse_float=str, parse_int=str)["items"]
    created_at = item.pop("created_at")
    assert created_at.endswith("Z")
    assert item == {
        "id": str(recorded.payment_id),
        "reference_number": "R-1",
        "loan_account_number": "LN1",
        "cif": "CIF1",
        "amount": "12.30",
        "currency": "CAD",
        "payment_date": "2026-11-05T12:00:00Z",
        "payment_channel": "branch",
        "source": "manual",
        "metadata": {"note": "café ☕", "share": "0.10", "large": str(10**30)},
    }


def test_a_payment_without_channel_and_metadata_says_null(client: APIClient) -> None:
    record("R-1", payment_channel=None)
    item = client.get(PAYMENTS).json()["items"][0]
    assert item["payment_channel"] is None
    assert item["metadata"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["C", "B", "A"]),
        ({"reference": "B"}, ["B"]),
        ({"reference": "b"}, []),
        ({"loan_account": "LN2"}, ["C", "B"]),
        ({"cif": "CIF9"}, ["C"]),
        ({"channel": "kiosk"}, ["B"]),
        ({"source": "webhook"}, ["C"]),
        ({"loan_account": "LN2", "source": "manual"}, ["B"]),
        ({"reference": "B", "loan_account": "LN1"}, []),
    ],
)
def test_every_condition_must_hold_and_the_newest_comes_first(
    client: APIClient, query: dict[str, str], expected: list[str]
) -> None:
    record("A", payment_date=AT - timedelta(days=40))
    record("B", loan_account_number="LN2", payment_channel="kiosk", payment_date=AT - timedelta(days=1))
    record("C", loan_account_number="LN2", cif="CIF9", source=PaymentSource.WEBHOOK)
    assert references(client, **query) == expected


def test_the_range_includes_its_start_and_leaves_out_its_end(client: APIClient) -> None:
    for name, offset in (("before", -1), ("start", 0), ("inside", 1), ("end", 3600)):
        record(name, payment_date=AT + timedelta(seconds=offset))
    query = {"paid_from": "2026-11-05T12:00:00Z", "paid_to": "2026-11-05T05:00:00-08:00"}
    assert references(client, **query) == ["inside", "start"]


def test_a_day_is_the_ledgers_day(client: APIClient, settings: Settings) -> None:
    settings.LEDGER_ZONE = ZoneInfo("Asia/Kolkata")
    midnight = datetime(2026, 11, 4, 18, 30, tzinfo=UTC)
    record("last of the 4th", payment_date=midnight - timedelta(microseconds=1))
    record("first of the 5th", payment_date=midnight)
    assert references(client, paid_from="2026-11-05") == ["first of the 5th"]
    assert references(client, paid_from="2026-11-04", paid_to="2026-11-05") == ["last of the 4th"]


def test_pages_follow_each_other_without_gap_or_repeat(client: APIClient) -> None:
    for number in range(7):
        # Three share one instant, so that the id has to decide.
        record(f"R-{number}", payment_date=AT - timedelta(days=20 * (number // 3)))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    pages = 0
    while True:
        answer = client.get(PAYMENTS, query).json()
        seen += [item["id"] for item in answer["items"]]
        pages += 1
        if answer["next"] is None:
            break
        query["cursor"] = answer["next"]
    assert pages == 4
    assert seen == [str(key) for key in Payment.objects.order_by("-payment_date", "-id").values_list("id", flat=True)]
    assert len(set(seen)) == 7


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"referense": "x"}, "referense", "unknown"),
        ({"paid_from": "2026-11-05T12:00:00"}, "paid_from", "invalid"),
        ({"paid_from": "2026-02-30"}, "paid_from", "invalid"),
        ({"paid_to": "yesterday"}, "paid_to", "invalid"),
        ({"paid_to": ""}, "paid_to", "invalid"),
        ({"paid_from": "2026-11-05", "paid_to": "2026-11-04"}, "paid_to", "before"),
        ({"source": "post"}, "source", "invalid_choice"),
        ({"reference": ["a", "b"]}, "reference", "repeated"),
        ({"reference": "x" * 256}, "reference", "max_length"),
        ({"cif": ""}, "cif", "blank"),
        ({"cif": "a\x00b"}, "cif", "null_characters_not_allowed"),
        ({"limit": "201"}, "limit", "invalid"),
        ({"limit": "0"}, "limit", "invalid"),
        ({"cursor": "nonsense"}, "cursor", "invalid"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(
    client: APIClient, query: dict[str, Any], field: str, code: str
) -> None:
    [error] = refusal(client, PAYMENTS, **query)["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert error["message"]


def test_a_reference_is_found_by_two_probes_of_which_the_second_names_its_partition(client: APIClient) -> None:
    record("R-1")
    record("R-2", payment_date=AT - timedelta(days=60))
    statements = payment_statements(lambda: references(client, reference="R-1"))
    assert len(statements) == 2
    assert 'FROM "payment_references"' in statements[0]
    with connection.cursor() as cursor:
        cursor.execute("explain (costs off) " + statements[1])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "payments_2026_11" in plan
    assert "payments_2026_09" not in plan
    assert "payments_default" not in plan


def test_a_pruned_reference_is_still_found(client: APIClient) -> None:
    record("R-1")
    record("R-2")
    PaymentReference.objects.filter(pk="R-1").delete()
    assert references(client, reference="R-1") == ["R-1"]


def test_a_page_costs_one_statement_however_many_payments_it_holds(client: APIClient) -> None:
    for number in range(5):
        record(f"R-{number}")
    assert len(payment_statements(lambda: references(client, loan_account="LN1"))) == 1


def test_one_payment_is_found_by_its_id(client: APIClient) -> None:
    recorded = record("R-1")
    answer = client.get(f"{PAYMENTS}/{recorded.payment_id}")
    assert answer.status_code == 200
    assert answer.json()["reference_number"] == "R-1"


@pytest.mark.parametrize("date", ["2026-11-05", "2026-11-05T12:00:00Z", "2026-11-05T04:00:00-08:00"])
def test_with_its_date_one_partition_is_probed(client: APIClient, date: str) -> None:
    recorded = record("R-1")
    record("R-2", payment_date=AT - timedelta(days=60))
    path = f"{PAYMENTS}/{recorded.payment_id}"
    [statement] = payment_statements(lambda: client.get(path, {"payment_date": date}))
    assert client.get(path, {"payment_date": date}).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("explain (costs off) " + statement)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "payments_2026_11" in plan
    assert "payments_2026_09" not in plan


@pytest.mark.parametrize("query", [{}, {"payment_date": "2026-11-05"}])
def test_an_unknown_id_is_a_problem(client: APIClient, query: dict[str, str]) -> None:
    answer = client.get(f"{PAYMENTS}/{uuid4()}", query)
    assert answer.status_code == 404
    assert json.loads(answer.content)["code"] == "payment-not-found"


def test_a_payment_of_another_date_is_not_found(client: APIClient) -> None:
    recorded = record("R-1")
    path = f"{PAYMENTS}/{recorded.payment_id}"
    assert client.get(path, {"payment_date": "2026-11-06"}).status_code == 404
    assert client.get(path, {"payment_date": "2026-11-05T12:00:00.000001Z"}).status_code == 404


def test_an_unknown_parameter_is_refused_for_one_payment_too(client: APIClient) -> None:
    body = refusal(client, f"{PAYMENTS}/{uuid4()}", date="2026-11-05")
    assert [error["field"] for error in body["errors"]] == ["date"]


def test_a_key_without_the_scope_reads_nothing() -> None:
    recorded = record("R-1")
    client = client_with("payments:stats")
    for path in (PAYMENTS, f"{PAYMENTS}/{recorded.payment_id}"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert json.loads(answer.content)["required_scope"] == "payments:read"


def test_without_a_key_nothing_is_read() -> None:
    record("R-1")
    answer = APIClient().get(PAYMENTS)
    assert answer.status_code == 401
    assert b"R-1" not in answer.content


def test_a_payment_is_never_changed_through_the_api(client: APIClient) -> None:
    recorded = record("R-1")
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)(f"{PAYMENTS}/{recorded.payment_id}").status_code == 405
    assert Payment.objects.get().amount == Decimal("12.30")


def test_a_search_that_takes_too_long_is_ended(client: APIClient, settings: Settings) -> None:
    settings.READ_TIMEOUT_MS = 1
    fill_one_month(60_000)
    answer = client.get(PAYMENTS, {"channel": "no such channel"})
    assert answer.status_code == 503
    assert json.loads(answer.content)["code"] == "read-took-too-long"
    with connection.cursor() as cursor:
        cursor.execute("show statement_timeout")
        assert cursor.fetchone() == ("0",)


def fill_one_month(count: int) -> None:
    ensure_partitions_for([month_of(AT)])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into payments (reference_number, loan_account_number, cif, amount, currency, payment_date,
                                  payment_channel, source)
            select 'F-' || number, 'LN1', 'CIF1', 1, 'CAD', %s, 'channel ' || number, 'staging'
            from generate_series(1, %s) number
            """,
            [AT, count],
        )


def test_without_an_index_only_as_many_months_are_read_as_the_page_needs(client: APIClient) -> None:
    now = timezone.now()
    for number in range(3):
        record(f"new {number}", payment_date=now)
    for months in (1, 3, 7, 40):
        record(f"{months} months old", payment_date=now - timedelta(days=30.5 * months))
    assert len(payment_statements(lambda: references(client, limit=2))) == 1
    found = references(client, channel="branch", limit=5)
    assert found[3:] == ["1 months old", "3 months old"]
    assert set(found[:3]) == {"new 0", "new 1", "new 2"}
    assert references(client, channel="branch")[-2:] == ["7 months old", "40 months old"]
    # Seven looks at the most reach any age.
    assert len(payment_statements(lambda: references(client, channel="nothing"))) == 7
