"""What stands in front of the database: it may say "this payment again", never "new", and may be lost at any time."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from kernel.redisclient import circuit, redis_client
from payments.deduplication import KnownReference, find_known, fingerprint_of, forget_all, is_warm, warm_caches
from payments.deduplication.layers import recent, remember
from payments.deduplication.memory import RecentReferences
from payments.models import Payment
from tests.payments.recorded import AT, notice, record
from tests.payments.webhooks import body_of, make_channel, post

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=45))])
KNOWN = KnownReference(UUID(int=1), AT, fingerprint_of(notice("R").identity))


def lookups(layer: str, result: str) -> float:
    labels = {"layer": layer, "result": result}
    return REGISTRY.get_sample_value("paymentsite_reference_lookups_total", labels) or 0.0


def recorder_statements(queries: CaptureQueriesContext) -> int:
    return sum("payment_references" in query["sql"] for query in queries.captured_queries)


@pytest.fixture
def with_redis(settings: Settings) -> Generator[None]:
    settings.ENABLE_REDIS_CACHE = True
    redis_client().flushdb()
    yield
    circuit.succeeded()
    redis_client().flushdb()


def test_the_same_content_is_known_however_its_moment_and_amount_are_written() -> None:
    paid_at = AT.astimezone(timezone(timedelta(hours=-8)))
    assert fingerprint_of(notice("R").identity) == fingerprint_of(
        notice("S", amount=Decimal("12.300"), payment_date=paid_at, payment_channel="other").identity
    )


@pytest.mark.parametrize(
    "change",
    [
        {"loan_account_number": "LN2"},
        {"cif": "CIF2"},
        {"amount": Decimal("12.31")},
        {"currency": "USD"},
        {"payment_date": AT + timedelta(microseconds=1)},
    ],
)
def test_a_change_in_any_part_of_the_identity_is_another_payment(change: dict[str, Any]) -> None:
    remember(notice("R"), KNOWN)
    assert find_known(notice("R")) == KNOWN
    assert find_known(notice("R", **change)) is None


@given(
    known=st.builds(
        KnownReference,
        st.uuids(),
        st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=ZONES),
        st.binary(min_size=16, max_size=16),
        st.sampled_from([b"", b"m" * 16]),
    )
)
def test_what_is_put_into_the_memory_comes_out_the_same(known: KnownReference) -> None:
    entries = RecentReferences()
    entries.put("R", known, max_size=1)
    assert entries.get("R") == known


def test_the_least_recently_used_reference_goes_first() -> None:
    entries = RecentReferences()
    for name in "abc":
        entries.put(name, KNOWN, max_size=3)
    assert entries.get("a") == KNOWN
    entries.put("d", KNOWN, max_size=3)
    assert [entries.get(name) is not None for name in "abcd"] == [True, False, True, True]
    assert len(entries) == 3


def test_the_memory_keeps_its_size_under_many_threads() -> None:
    entries = RecentReferences()
    start = threading.Barrier(8)

    def work(worker: int) -> None:
        start.wait()
        for number in range(2000):
            entries.put(f"{worker}-{number}", KNOWN, max_size=100)
            entries.get(f"{worker}-{number // 2}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(entries) == 100


def test_switched_off_caches_know_nothing(settings: Settings) -> None:
    settings.ENABLE_MEMORY_CACHE = False
    remember(notice("R"), KNOWN)
    assert find_known(notice("R")) is None


@pytest.mark.usefixtures("with_redis")
def test_what_another_process_recorded_is_found_in_redis_and_then_in_memory() -> None:
    remember(notice("R"), KNOWN)
    forget_all()
    before = lookups("redis", "hit"), lookups("memory", "hit")
    assert find_known(notice("R")) == KNOWN
    assert find_known(notice("R")) == KNOWN
    assert (lookups("redis", "hit"), lookups("memory", "hit")) == (before[0] + 1, before[1] + 1)


@pytest.mark.usefixtures("with_redis")
def test_references_in_redis_expire(settings: Settings) -> None:
    settings.REDIS_TTL_SECONDS = 77
    remember(notice("R"), KNOWN)
    assert 70 < int(redis_client().ttl("reference:R")) <= 77


@pytest.mark.usefixtures("with_redis")
@pytest.mark.parametrize("nonsense", [b"", b"a|b|c|d", b"\xff", b"|||"])
def test_nonsense_in_redis_is_not_known(nonsense: bytes) -> None:
    redis_client().set("reference:R", nonsense)
    assert find_known(notice("R")) is None


@pytest.mark.usefixtures("with_redis")
@pytest.mark.parametrize("failure", [redis.ConnectionError, redis.TimeoutError, redis.ResponseError])
@pytest.mark.django_db(transaction=True)
def test_a_redis_that_fails_fails_no_webhook(monkeypatch: pytest.MonkeyPatch, failure: type[Exception]) -> None:
    make_channel()

    def lost(*args: object, **kwargs: object) -> None:
        raise failure("away")

    with monkeypatch.context() as patch:
        patch.setattr(redis.Redis, "execute_command", lost)
        assert post().status_code == 201
        forget_all()
        assert post().status_code == 200
    assert Payment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_retry_is_answered_from_memory_and_each_layer_is_counted() -> None:
    make_channel()
    names = [("memory", "hit"), ("memory", "miss"), ("database", "hit"), ("database", "miss")]
    before = [lookups(*name) for name in names]
    with CaptureQueriesContext(connection) as first:
        post()
    with CaptureQueriesContext(connection) as again:
        assert post().status_code == 200
    assert (recorder_statements(first), recorder_statements(again)) == (1, 0)
    forget_all()
    assert post().status_code == 200
    assert [lookups(*name) - was for name, was in zip(names, before, strict=True)] == [1, 2, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_known_reference_with_another_content_goes_to_the_database() -> None:
    make_channel()
    post()
    with CaptureQueriesContext(connection) as queries:
        assert post(body_of(amount=1), webhook_id="msg_2").status_code == 409
    assert recorder_statements(queries) == 2
    # The conflict did not take the place of the payment.
    assert post(webhook_id="msg_3").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_nothing_is_remembered_of_what_was_not_committed() -> None:
    make_channel()
    post(body_of(amount=0))
    assert len(recent) == 0


@pytest.mark.django_db(transaction=True)
def test_warming_loads_the_newest_references_of_the_last_days(settings: Settings) -> None:
    settings.MEMORY_CACHE_MAX_SIZE = 3
    for number in range(5):
        record(f"R{number}")
    forget_all()
    assert warm_caches(datetime.now(UTC)) == 3
    assert is_warm()
    assert len(recent) == 3
    assert sum(find_known(notice(f"R{number}")) is not None for number in range(5)) == 3
    forget_all()
    assert warm_caches(AT + timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS, hours=1)) == 0


@pytest.mark.django_db(transaction=True)
def test_a_warm_memory_answers_a_payment_of_another_way_in() -> None:
    make_channel()
    recorded = record(
        "REF-1",
        loan_account_number="LN100",
        cif="CIF100",
        amount=Decimal("125.50"),
        payment_date=datetime(2026, 11, 5, 13, 45, tzinfo=UTC),
    )
    forget_all()
    warm_caches(datetime.now(UTC))
    with CaptureQueriesContext(connection) as queries:
        response = post()
    assert (response.status_code, recorder_statements(queries)) == (200, 0)
    assert str(recorded.payment_id).encode() in response.content


def test_with_the_memory_switched_off_there_is_nothing_to_warm(settings: Settings) -> None:
    settings.ENABLE_MEMORY_CACHE = False
    assert warm_caches(AT) == 0
    assert is_warm()
