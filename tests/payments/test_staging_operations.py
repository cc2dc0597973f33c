"""One chunk of staged rows: what is recorded, what is not, and that it is all or nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from payments.models import Payment, PaymentStaging, ReferenceConflict, StagingProcessLog, StagingRejection
from payments.operations.staging import Chunk, PartitionMissing, record_chunk
from payments.recorder import id_prefix, parameters, record_staged_rows_sql
from payments.states import PaymentSource
from tests.payments.staged import AT, a_row, count, everything_counted, prepare_staging, stage, stage_many

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


def record(batch_size: int = 1000) -> Chunk | None:
    return record_chunk(batch_size=batch_size, after_id=0, attempt=1, at=AT)


def test_a_staged_row_becomes_a_payment_with_its_reference_and_its_event() -> None:
    [row_id] = stage(a_row(metadata=json.dumps({"note": "Zoë"})))

    chunk = record()

    assert chunk is not None
    assert (chunk.total, chunk.recorded, chunk.duplicates, chunk.conflicts, chunk.rejected) == (1, 1, 0, 0, 0)
    payment = Payment.objects.get()
    assert (payment.reference_number, payment.amount, payment.currency) == ("REF-1", Decimal("120.50"), "CAD")
    assert (payment.source, payment.source_batch_id, payment.source_row_id) == ("staging", chunk.batch_id, row_id)
    assert payment.metadata == {"note": "Zoë"}
    assert payment.id.version == 7
    assert everything_counted() == {
        "payments": 1,
        "payment_references": 1,
        "outbox_event": 1,
        "outbox_delivery": 1,
        "staging_rejection": 0,
        "reference_conflict": 0,
        "staging_duplicate": 0,
        "staging_process_log": 1,
    }


def test_the_event_has_the_seed_plans_fields_and_an_exact_number_as_amount() -> None:
    stage(a_row(amount="9999999999999.99", payment_channel=None))

    record()

    with connection.cursor() as cursor:
        cursor.execute("select body, key, topic, event_id::text, subject from outbox_event")
        body, key, topic, event_id, subject = cursor.fetchone()
    event = json.loads(body, parse_float=Decimal)
    assert set(event) == {"event_id", "event_type", "timestamp", "payment"}
    assert (event["event_id"], event["event_type"]) == (event_id, "payment.recorded")
    assert set(event["payment"]) == {
        "id",
        "reference_number",
        "loan_account_number",
        "cif",
        "amount",
        "payment_date",
        "payment_channel",
        "source",
        "metadata",
    }
    assert event["payment"]["amount"] == Decimal("9999999999999.99")
    assert event["payment"]["id"] == subject == str(Payment.objects.get().id)
    assert (event["payment"]["payment_channel"], event["payment"]["metadata"]) == ("unknown", {})
    assert datetime.fromisoformat(event["payment"]["payment_date"]) == AT - timedelta(hours=2)
    assert (key, topic) == ("LN100", "payment.events")


def test_an_event_in_another_currency_than_the_ledgers_says_so(settings: Settings) -> None:
    settings.STAGING_CURRENCY = "USD"
    stage(a_row())

    record()

    with connection.cursor() as cursor:
        cursor.execute("select body::json -> 'payment' ->> 'currency' from outbox_event")
        assert cursor.fetchone() == ("USD",)


def test_duplicates_inside_a_batch_are_recorded_once() -> None:
    stage(a_row("A"), a_row("A"), a_row("B"), a_row("A"))

    chunk = record()

    assert chunk is not None
    assert (chunk.total, chunk.recorded, chunk.duplicates) == (4, 2, 2)
    assert count("staging_duplicate") == 2
    assert count("payments") == count("payment_references") == count("outbox_event") == 2
    assert Payment.objects.get(reference_number="A").source_row_id == 1


def test_a_reference_that_was_recorded_before_is_a_duplicate_whatever_its_channel_and_metadata() -> None:
    stage(a_row("A"))
    record()
    stage(a_row("A", payment_channel="branch-counter", metadata='{"other": true}'))

    chunk = record()

    assert chunk is not None
    assert (chunk.recorded, chunk.duplicates, chunk.conflicts) == (0, 1, 0)
    assert count("payments") == 1


@pytest.mark.parametrize(
    ("change", "field", "recorded", "received"),
    [
        ({"amount": "120.51"}, "amount", "120.50", "120.51"),
        ({"loan_account_number": "LN200"}, "loan_account_number", "LN100", "LN200"),
        ({"cif": "CIF8"}, "cif", "CIF7", "CIF8"),
        (
            {"payment_date": datetime(2026, 11, 20, 16, 0, 1)},
            "payment_date",
            "2026-11-20T16:00:00+00:00",
            "2026-11-20T16:00:01+00:00",
        ),
    ],
)
def test_a_known_reference_with_other_content_is_a_conflict_that_names_the_field(
    change: dict[str, Any], field: str, recorded: str, received: str
) -> None:
    stage(a_row("A"), a_row("A", **change))

    chunk = record()

    assert chunk is not None
    assert (chunk.recorded, chunk.duplicates, chunk.conflicts) == (1, 0, 1)
    conflict = ReferenceConflict.objects.get()
    assert conflict.difference == [{"field": field, "recorded": recorded, "received": received}]
    assert (conflict.staging_id, conflict.status, conflict.times_seen) == (2, "open", 1)
    assert conflict.batch_id == chunk.batch_id
    assert count("payments") == count("outbox_event") == 1


def test_the_same_conflict_again_is_counted_not_repeated() -> None:
    stage(a_row("A"), a_row("A", amount="1.00"))
    record()
    stage(a_row("A", amount="1.00"))
    record()

    assert ReferenceConflict.objects.get().times_seen == 2


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"amount": "-75.00"}, ["amount_not_positive"]),
        ({"amount": "0"}, ["amount_not_positive"]),
        ({"amount": "NaN"}, ["amount_not_a_number"]),
        ({"reference_number": "  "}, ["reference_number_missing"]),
        ({"reference_number": "A\u202eB"}, ["reference_number_invisible_character"]),
        ({"reference_number": "A\tB"}, ["reference_number_invisible_character"]),
        ({"loan_account_number": " "}, ["loan_account_number_missing"]),
        ({"cif": ""}, ["cif_missing"]),
        ({"payment_date": "infinity"}, ["payment_date_in_future"]),
        ({"payment_date": "-infinity"}, ["payment_date_too_old"]),
        ({"payment_date": datetime(1, 1, 1)}, ["payment_date_too_old"]),
        ({"payment_date": datetime(9999, 12, 31)}, ["payment_date_in_future"]),
        ({"metadata": "[1, 2]"}, ["metadata_not_an_object"]),
        ({"cif": "", "amount": "-1"}, ["cif_missing", "amount_not_positive"]),
    ],
)
def test_a_row_that_cannot_be_recorded_is_kept_with_every_reason(change: dict[str, Any], reasons: list[str]) -> None:
    stage(a_row("GOOD"), a_row(**{"reference_number": "BAD"} | change))

    chunk = record()

    assert chunk is not None
    assert (chunk.total, chunk.recorded, chunk.rejected) == (2, 1, 1)
    rejection = StagingRejection.objects.get()
    assert rejection.reasons == reasons
    assert (rejection.staging_id, rejection.status, rejection.batch_id) == (2, "open", chunk.batch_id)
    assert rejection.raw["id"] == 2
    assert count("payments") == count("payment_references") == 1


def test_null_metadata_in_json_is_no_metadata() -> None:
    stage(a_row(metadata="null"))

    record()

    assert Payment.objects.get().metadata is None


def test_rows_whose_processed_is_null_are_taken_too() -> None:
    stage(a_row())
    with connection.cursor() as cursor:
        cursor.execute("update payment_staging set processed = null")

    chunk = record()

    assert chunk is not None
    assert chunk.recorded == 1


def test_nothing_in_the_staging_table_changes_but_processed_and_processed_at() -> None:
    stage(a_row(" REF-1 ", metadata='{"a": 1}'), a_row("BAD", amount="-1"))
    before = list(PaymentStaging.objects.order_by("id").values())

    record()

    after = list(PaymentStaging.objects.order_by("id").values())
    assert [(row["processed"], row["processed_at"]) for row in after] == [(True, AT.replace(tzinfo=None))] * 2
    assert [row | {"processed": True, "processed_at": AT.replace(tzinfo=None)} for row in before] == after


def test_staged_moments_are_read_in_the_zone_of_the_setting(settings: Settings) -> None:
    settings.STAGING_ZONE = ZoneInfo("Asia/Tokyo")
    stage(a_row(payment_date=datetime(2026, 11, 20, 8, 0)))

    record()

    assert Payment.objects.get().payment_date == datetime(2026, 11, 19, 23, 0, tzinfo=UTC)


def test_references_are_equal_after_trimming_and_in_one_unicode_form_but_keep_their_case() -> None:
    stage(a_row("Caf\u00e9-1"), a_row(" Cafe\u0301-1 "), a_row("CAF\u00c9-1"))

    chunk = record()

    assert chunk is not None
    assert (chunk.recorded, chunk.duplicates) == (2, 1)


def test_a_row_of_a_month_without_partition_rolls_the_chunk_back_and_names_the_month() -> None:
    # No other test makes the partition of this month: partitions outlive the test that makes them.
    stage(a_row("A"), a_row("B", payment_date=datetime(2023, 2, 28, 23, 59)))
    before = everything_counted()

    with pytest.raises(PartitionMissing) as refusal:
        record()

    assert [month.label for month in refusal.value.months] == ["2023_02"]
    assert everything_counted() == before
    assert count("payment_staging", "processed") == 0


def test_the_process_log_has_the_batch_and_its_counts() -> None:
    stage(a_row("A"), a_row("A"), a_row("A", amount="5"), a_row("B", amount="-1"), a_row("C"))

    record()

    log = StagingProcessLog.objects.get()
    assert (log.batch_start_id, log.batch_end_id, log.total_records) == (1, 5, 5)
    assert (log.processed_records, log.duplicate_records, log.conflict_records, log.error_records) == (2, 1, 1, 1)
    assert log.status == "completed"
    assert log.completed_at is not None


def test_nothing_staged_is_no_batch() -> None:
    assert record() is None
    assert count("staging_process_log") == 0


def test_the_plan_joins_no_batch_by_nested_loop() -> None:
    stage_many(5000)
    values = parameters(source=PaymentSource.STAGING, batch_id=None, months="{}", at=AT) | {
        "id_prefix": id_prefix(AT),
        "after_id": 0,
        "currency": "CAD",
        "currency_exponent": 2,
        "zone": "UTC",
        "oldest": AT,
        "newest": AT,
    }
    with connection.cursor() as cursor:
        cursor.execute("analyze payment_staging")
        cursor.execute(f"explain (format json) {record_staged_rows_sql(5000)}", values)
        plan = cursor.fetchone()[0]

    def nested(node: dict[str, Any]) -> list[dict[str, Any]]:
        below = [found for child in node.get("Plans", []) for found in nested(child)]
        kinds = [child["Node Type"] for child in node.get("Plans", [])]
        is_quadratic = node["Node Type"] == "Nested Loop" and kinds.count("CTE Scan") == 2
        return [*below, node] if is_quadratic else below

    plan = json.loads(plan) if isinstance(plan, str) else plan
    assert nested(plan[0]["Plan"]) == []


@given(
    amount=st.decimals(min_value=Decimal("-5"), max_value=Decimal("9999999999999.99"), places=2),
    reference=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=40),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_whatever_is_staged_every_row_has_exactly_one_outcome(amount: Decimal, reference: str) -> None:
    prepare_staging()
    stage(a_row(reference, amount=str(amount)), a_row(reference, amount=str(amount)))
    before = everything_counted()

    chunk = record()

    assert chunk is not None
    assert chunk.total == 2 == chunk.recorded + chunk.duplicates + chunk.conflicts + chunk.rejected
    assert chunk.rejected in (0, 2)
    after = everything_counted()
    assert after["payments"] - before["payments"] == chunk.recorded
    assert after["payment_references"] - before["payment_references"] == chunk.recorded
    assert after["outbox_event"] - before["outbox_event"] == chunk.recorded
