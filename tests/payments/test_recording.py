"""Notices one at a time: new, known, contradicting, and many at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from kernel.transactions import TransactionMisuse, unit_of_work
from payments.models import Payment, ReferenceConflict
from payments.notices import PaymentNotice
from payments.operations.recording import Origin, Recording, record_notice, record_notice_as_step
from payments.states import Outcome, PaymentSource
from tests.payments.staged import AT, count, everything_counted, prepare_staging

pytestmark = pytest.mark.django_db(transaction=True)
NOTICE = PaymentNotice(
    reference_number="REF-1",
    loan_account_number="LN1",
    cif="CIF1",
    amount=Decimal("10.50"),
    currency="CAD",
    payment_date=AT - timedelta(hours=1),
    payment_channel="generic",
    metadata={"exact": Decimal("1.10"), "text": "Ünal"},
)
SESSIONS = 16
ROUNDS = 10


@pytest.fixture(autouse=True)
def _partitions() -> None:
    prepare_staging()


def record(notice: PaymentNotice = NOTICE) -> Recording:
    return record_notice(notice, source=PaymentSource.WEBHOOK, at=AT)


def test_a_new_notice_is_recorded_with_its_reference_and_event() -> None:
    recording = record()

    assert recording.is_new
    payment = Payment.objects.get()
    assert (payment.id, payment.payment_date) == (recording.payment_id, recording.payment_date)
    assert (payment.source, payment.source_row_id) == ("webhook", None)
    assert count("payment_references") == count("outbox_event") == count("outbox_delivery") == 1


def test_numbers_in_metadata_are_kept_digit_for_digit() -> None:
    record()

    assert count("payments", "metadata ->> 'exact' = '1.10'") == 1
    assert count("outbox_event", "body::json -> 'payment' -> 'metadata' ->> 'exact' = '1.10'") == 1


def test_the_same_notice_again_is_answered_with_the_recorded_payment() -> None:
    first = record()
    before = everything_counted()

    again = record(replace(NOTICE, payment_channel="other", metadata=None))

    assert (again.outcome, again.payment_id) == (Outcome.DUPLICATE, first.payment_id)
    assert everything_counted() == before


def test_other_content_under_a_known_reference_is_a_conflict_and_the_first_record_stands() -> None:
    first = record()

    second = record(replace(NOTICE, amount=Decimal("11.00")))

    assert (second.outcome, second.payment_id) == (Outcome.CONFLICT, first.payment_id)
    assert second.difference == ({"field": "amount", "recorded": "10.50", "received": "11.00"},)
    assert Payment.objects.get().amount == Decimal("10.50")
    conflict = ReferenceConflict.objects.get()
    assert (conflict.source, conflict.staging_id, conflict.batch_id) == ("webhook", None, None)
    assert count("outbox_event") == 1


def recorded_at_once(notice: PaymentNotice, sessions: int) -> list[Recording]:
    """The same notice by so many sessions that set off together."""
    start = threading.Barrier(sessions)
    recordings: list[Recording] = []

    def post() -> None:
        try:
            start.wait()
            recordings.append(record(notice))
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return recordings


def test_sixteen_sessions_with_one_reference_record_one_payment_and_all_learn_its_id() -> None:
    for round_number in range(ROUNDS):
        recordings = recorded_at_once(replace(NOTICE, reference_number=f"RACE-{round_number}"), SESSIONS)

        assert len(recordings) == SESSIONS
        assert len({recording.payment_id for recording in recordings}) == 1
        assert [recording.is_new for recording in recordings].count(True) == 1
    assert count("payments") == count("payment_references") == count("outbox_event") == ROUNDS


def test_a_payment_of_a_month_without_partition_makes_the_month() -> None:
    record(replace(NOTICE, payment_date=AT - timedelta(days=800)))

    assert count("payments") == 1
    assert count("payments_default") == 0


def test_a_recording_of_its_own_refuses_to_run_inside_a_unit_of_work() -> None:
    with pytest.raises(TransactionMisuse):
        unit_of_work(record)()

    assert count("payments") == 0


def test_a_recording_as_a_step_refuses_to_run_without_a_unit_of_work() -> None:
    with pytest.raises(TransactionMisuse):
        record_notice_as_step(NOTICE, origin=Origin(PaymentSource.MANUAL), at=AT)

    assert count("payments") == 0


def test_a_step_that_is_rolled_back_leaves_the_reference_free() -> None:
    @unit_of_work
    def fail() -> None:
        record_notice_as_step(NOTICE, origin=Origin(PaymentSource.MANUAL), at=AT)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert everything_counted() == dict.fromkeys(everything_counted(), 0)
    assert record().is_new
