from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from kernel.uuids import uuid7
from payments import statistics
from payments.models import PaymentStaging, ReferenceConflict, StagingProcessLog, StagingRejection, WebhookReceipt
from payments.operations.staging_table import create_staging_table
from payments.recorder import staging_table
from payments.statistics import last_staging_run_at, open_reviews, staging_backlog, staging_day, webhook_day
from tests.payments.test_api_payments import client_with

pytestmark = pytest.mark.django_db(transaction=True)

STATS = "/api/v1/payments/stats"
MIDNIGHT = datetime(2026, 11, 4, 18, 30, tzinfo=UTC)
AT = MIDNIGHT + timedelta(minutes=30)


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _ledger_far_from_utc(settings: Settings) -> None:
    settings.LEDGER_ZONE = ZoneInfo("Asia/Kolkata")


@pytest.fixture
def staging_rows() -> None:
    create_staging_table()
    with connection.cursor() as cursor:
        cursor.execute(f"delete from {staging_table()}")


def batch(started_at: datetime, *, rows: int, milliseconds: int, status: str = "completed") -> StagingProcessLog:
    return StagingProcessLog.objects.create(
        id=uuid7(started_at),
        batch_start_id=1,
        batch_end_id=rows,
        total_records=rows,
        processed_records=rows,
        status=status,
        started_at=started_at,
        completed_at=started_at + timedelta(milliseconds=milliseconds),
    )


def receipt(received_at: datetime, outcome: str, *, duration_ms: str | None) -> WebhookReceipt:
    return WebhookReceipt.objects.create(
        id=uuid7(received_at),
        channel_slug="branch",
        body_digest="0" * 64,
        outcome=outcome,
        status_code=200,
        received_at=received_at,
        duration_ms=Decimal(duration_ms) if duration_ms else None,
    )


def staged(number: int, **changes: Any) -> PaymentStaging:
    values: dict[str, Any] = {
        "reference_number": f"S-{number}",
        "loan_account_number": "LN1",
        "cif": "CIF1",
        "amount": Decimal("1.00"),
        "payment_date": datetime(2026, 11, 1),
        "processed": False,
        "created_at": datetime(2026, 11, 4, 18, 30),
    }
    return PaymentStaging.objects.create(**(values | changes))


@time_machine.travel(AT, tick=False)
def test_the_statistics_are_the_seeds_body(staging_rows: None) -> None:
    batch(AT - timedelta(minutes=10), rows=7, milliseconds=100)
    batch(AT - timedelta(minutes=5), rows=3, milliseconds=201)
    receipt(AT - timedelta(minutes=1), "created", duration_ms="4.00")
    receipt(AT - timedelta(minutes=1), "created", duration_ms="2.00")
    receipt(AT - timedelta(minutes=1), "duplicate", duration_ms="1.00")
    staged(1)
    answer = client_with("payments:stats").get(STATS)
    assert answer.status_code == 200
    assert json.loads(answer.content) == {
        "staging": {"processed_today": 10, "pending_count": 1, "average_batch_time_ms": 150.5},
        "webhooks": {"received_today": 3, "duplicate_rate": 0.3333, "average_response_time_ms": 2.33},
    }


def test_on_a_day_without_work_every_figure_is_zero(staging_rows: None) -> None:
    answer = client_with("payments:stats").get(STATS).json()
    assert answer == {
        "staging": {"processed_today": 0, "pending_count": 0, "average_batch_time_ms": 0},
        "webhooks": {"received_today": 0, "duplicate_rate": 0, "average_response_time_ms": 0},
    }


def test_today_begins_at_midnight_of_the_ledgers_zone(staging_rows: None) -> None:
    batch(MIDNIGHT - timedelta(microseconds=1), rows=100, milliseconds=1)
    batch(MIDNIGHT, rows=1, milliseconds=1)
    receipt(MIDNIGHT - timedelta(microseconds=1), "created", duration_ms="1")
    receipt(MIDNIGHT, "refused", duration_ms=None)
    assert staging_day(at=AT).processed_today == 1
    assert webhook_day(at=AT).received_today == 1
    assert webhook_day(at=AT).average_response_time_ms == 0


def test_what_is_settled_is_counted_once_and_what_comes_later_is_added() -> None:
    receipt(AT - timedelta(minutes=20), "created", duration_ms="4.00")
    receipt(AT - timedelta(minutes=1), "duplicate", duration_ms="2.00")
    first = webhook_day(at=AT)
    assert (first.received_today, first.duplicate_rate, first.average_response_time_ms) == (2, Decimal("0.5"), 3)

    # Written after the first count, although it came before: still within the minutes that are read each time.
    receipt(AT - timedelta(seconds=90), "created", duration_ms=None)
    receipt(AT + timedelta(minutes=1), "duplicate", duration_ms="6.00")
    for minutes in (1, 2, 5, 30):
        later = webhook_day(at=AT + timedelta(minutes=minutes))
        assert (later.received_today, later.duplicate_rate, later.average_response_time_ms) == (4, Decimal("0.5"), 4)


def test_the_settled_part_of_the_day_is_not_read_again() -> None:
    receipt(AT - timedelta(minutes=20), "created", duration_ms="4.00")
    webhook_day(at=AT)
    with CaptureQueriesContext(connection) as queries:
        webhook_day(at=AT + timedelta(minutes=1))
    (read,) = [query["sql"] for query in queries if "webhook_receipt" in query["sql"]]
    assert "2026-11-04 18:58" in read
    assert "2026-11-04 18:30" not in read


def test_the_next_day_begins_at_nothing() -> None:
    receipt(AT - timedelta(minutes=20), "created", duration_ms="4.00")
    assert webhook_day(at=AT).received_today == 1
    assert webhook_day(at=AT + timedelta(days=1)).received_today == 0


def test_failed_batches_have_processed_nothing(staging_rows: None) -> None:
    batch(AT, rows=5, milliseconds=900, status="failed")
    assert staging_day(at=AT).processed_today == 0
    assert last_staging_run_at() == AT


def test_without_a_staging_table_nothing_is_pending(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "staging_table_exists", lambda: False)
    monkeypatch.setattr(statistics, "staging_table", lambda: '"nowhere"."nothing"')
    answer = client_with("payments:stats").get(STATS)
    assert answer.status_code == 200
    assert answer.json()["staging"]["pending_count"] == 0


def test_the_backlog_counts_what_is_not_processed_and_knows_its_oldest(staging_rows: None) -> None:
    staged(1, processed=True, created_at=datetime(2026, 11, 1))
    staged(2, processed=None)
    staged(3, created_at=datetime(2026, 11, 4, 18))
    backlog = staging_backlog(at=AT)
    assert (backlog.rows, backlog.oldest_age_seconds, backlog.is_complete) == (2, 3600.0, True)


def test_the_backlog_stops_counting_at_its_cap(staging_rows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "PENDING_COUNT_CAP", 2)
    for number in range(4):
        staged(number)
    assert staging_backlog(at=AT).rows == 2


def test_a_table_too_large_to_read_in_time_is_counted_above_the_last_batches(
    staging_rows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [staged(number) for number in range(3)]
    StagingProcessLog.objects.create(
        id=uuid7(AT),
        batch_start_id=1,
        batch_end_id=rows[0].pk,
        total_records=1,
        processed_records=1,
        status="completed",
        started_at=AT,
    )
    count = statistics._count_pending

    def slow_without_narrowing(narrowing: str, *, at: datetime) -> statistics.StagingBacklog:
        if not narrowing:
            with connection.cursor() as cursor:
                cursor.execute("select pg_sleep(10)")
        return count(narrowing, at=at)

    monkeypatch.setattr(statistics, "PENDING_COUNT_MS", 50)
    monkeypatch.setattr(statistics, "_count_pending", slow_without_narrowing)
    backlog = staging_backlog(at=AT)
    assert (backlog.rows, backlog.is_complete) == (2, False)


def test_open_reviews_leave_out_what_was_decided() -> None:
    for number, status in enumerate(("open", "open", "dismissed")):
        decided = {} if status == "open" else {"resolved_by": "someone", "resolution_reason": "seen"}
        StagingRejection.objects.create(reasons=["amount_missing"], raw={}, rejected_at=AT, status=status, **decided)
        ReferenceConflict.objects.create(
            reference_number=f"R-{number // 2}",
            payment_id=uuid7(AT),
            payment_date=AT,
            source="staging",
            difference=[],
            received={},
            content_digest=str(number),
            detected_at=AT,
            last_seen_at=AT,
            status=status,
            **decided,
        )
    reviews = open_reviews()
    assert (reviews.rejections, reviews.conflicts) == (2, 2)


def test_the_statistics_need_their_own_scope_and_take_no_parameter() -> None:
    assert client_with("payments:read").get(STATS).status_code == 403
    answer = client_with("payments:stats").get(STATS, {"day": "2026-11-05"})
    assert answer.status_code == 422
    assert json.loads(answer.content)["errors"][0]["field"] == "day"
