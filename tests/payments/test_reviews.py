"""What staff decide about rejections and conflicts, and payments entered by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kernel.audit.actors import Actor, ActorKind
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError
from kernel.transactions import unit_of_work
from payments.models import Payment, ReferenceConflict, StagingRejection
from payments.notices import NoticeInvalid
from payments.operations.manual import record_manual_payment
from payments.operations.recording import ReferenceInConflict
from payments.operations.reviews import (
    AlreadyDecided,
    CorrectionInConflict,
    ReasonMissing,
    ReviewUnknown,
    correct_conflict,
    correct_rejection,
    dismiss_conflict,
    dismiss_rejection,
)
from payments.operations.staging import record_chunk
from tests.payments.staged import AT, a_row, count, everything_counted, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(ActorKind.STAFF, "pat", 7)
BODY: dict[str, Any] = {
    "reference_number": "REF-1",
    "loan_account_number": "LN100",
    "cif": "CIF7",
    "amount": "75.00",
    "payment_date": "2026-11-20T16:00:00Z",
    "payment_channel": "online-banking",
}


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


@pytest.fixture
def rejection() -> StagingRejection:
    stage(a_row(amount="-75.00"))
    record_chunk(batch_size=10, after_id=0, attempt=1, at=AT)
    return StagingRejection.objects.get()


@pytest.fixture
def conflict() -> ReferenceConflict:
    stage(a_row(), a_row(amount="75.00"))
    record_chunk(batch_size=10, after_id=0, attempt=1, at=AT)
    return ReferenceConflict.objects.get()


def test_a_corrected_rejection_becomes_a_payment_from_staging_and_says_who_and_why(rejection: StagingRejection) -> None:
    recording = correct_rejection(rejection.pk, corrected=BODY, reason="Sign was wrong", actor=ACTOR, at=AT)

    payment = Payment.objects.get()
    assert recording.payment_id == payment.id
    assert (payment.source, payment.source_row_id, payment.source_batch_id) == ("staging", 1, rejection.batch_id)
    rejection.refresh_from_db()
    assert (rejection.status, rejection.resolved_by, rejection.resolution_reason) == (
        "recorded",
        "pat",
        "Sign was wrong",
    )
    assert rejection.recorded_payment_id == payment.id
    assert rejection.corrected is not None
    assert rejection.corrected["amount"] == "75.00"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.reason) == ("stagingrejection.recorded", "pat", "Sign was wrong")
    assert count("outbox_event") == 1


def test_a_dismissed_rejection_stays_on_record_and_records_nothing(rejection: StagingRejection) -> None:
    dismiss_rejection(rejection.pk, reason="Test row of the bank", actor=ACTOR, at=AT)

    rejection.refresh_from_db()
    assert (rejection.status, rejection.status_since) == ("dismissed", AT)
    assert count("payments") == 0
    assert AuditEntry.objects.get().before == {"status": "open"}


def test_a_conflict_can_be_recorded_under_its_own_reference(conflict: ReferenceConflict) -> None:
    body = BODY | {"reference_number": "REF-1-B"}

    correct_conflict(conflict.pk, corrected=body, reason="Two payments, one number", actor=ACTOR, at=AT)

    assert set(Payment.objects.values_list("reference_number", flat=True)) == {"REF-1", "REF-1-B"}
    conflict.refresh_from_db()
    assert conflict.status == "recorded"


def test_a_correction_that_still_contradicts_the_record_is_refused_and_changes_nothing(
    conflict: ReferenceConflict,
) -> None:
    before = everything_counted()

    with pytest.raises(CorrectionInConflict) as refusal:
        correct_conflict(conflict.pk, corrected=BODY | {"amount": "76.00"}, reason="Guess", actor=ACTOR, at=AT)

    assert refusal.value.context["difference"] == [{"field": "amount", "recorded": "120.50", "received": "76.00"}]
    assert everything_counted() == before
    conflict.refresh_from_db()
    assert conflict.status == "open"
    assert AuditEntry.objects.count() == 0


def test_a_conflict_that_was_dismissed_leaves_the_first_record(conflict: ReferenceConflict) -> None:
    dismiss_conflict(conflict.pk, reason="Sender repeated by mistake", actor=ACTOR, at=AT)

    conflict.refresh_from_db()
    assert conflict.status == "dismissed"
    assert count("payments") == 1


def test_an_invalid_correction_names_every_field_and_changes_nothing(rejection: StagingRejection) -> None:
    with pytest.raises(NoticeInvalid) as refusal:
        correct_rejection(rejection.pk, corrected=BODY | {"amount": "-1", "cif": ""}, reason="Try", actor=ACTOR, at=AT)

    assert [error.field for error in refusal.value.errors] == ["cif", "amount"]
    rejection.refresh_from_db()
    assert rejection.status == "open"
    assert count("payments") == AuditEntry.objects.count() == 0


DECISIONS: list[Callable[[int, str], object]] = [
    lambda pk, reason: correct_rejection(pk, corrected=BODY, reason=reason, actor=ACTOR, at=AT),
    lambda pk, reason: dismiss_rejection(pk, reason=reason, actor=ACTOR, at=AT),
]


@pytest.mark.parametrize("decide", DECISIONS)
def test_a_decision_without_a_reason_is_refused(
    rejection: StagingRejection, decide: Callable[[int, str], object]
) -> None:
    with pytest.raises(ReasonMissing):
        decide(rejection.pk, "  ")

    rejection.refresh_from_db()
    assert rejection.status == "open"
    assert count("payments") == 0


@pytest.mark.parametrize("decide", DECISIONS)
def test_what_is_decided_cannot_be_decided_again(
    rejection: StagingRejection, decide: Callable[[int, str], object]
) -> None:
    dismiss_rejection(rejection.pk, reason="First", actor=ACTOR, at=AT)

    with pytest.raises(AlreadyDecided, match="pat: First"):
        decide(rejection.pk, "Second")

    rejection.refresh_from_db()
    assert rejection.resolution_reason == "First"
    assert AuditEntry.objects.count() == 1


def test_a_rejection_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ReviewUnknown):
        dismiss_rejection(404, reason="Nothing there", actor=ACTOR, at=AT)


def test_of_many_people_who_decide_at_once_one_does(rejection: StagingRejection) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def decide() -> None:
        try:
            start.wait()
            correct_rejection(rejection.pk, corrected=BODY, reason="At once", actor=ACTOR, at=AT)
            outcomes.append("recorded")
        except PaymentsiteError as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["recorded"] + ["review-already-decided"] * 7
    assert count("payments") == AuditEntry.objects.count() == 1


def test_reviews_are_locked_in_the_order_of_their_keys(rejection: StagingRejection) -> None:
    with CaptureQueriesContext(connection) as queries:
        found = unit_of_work(StagingRejection.objects.lock)([rejection.pk])

    assert found == [rejection]
    [locking] = [query["sql"] for query in queries if "FOR UPDATE" in query["sql"]]
    assert 'ORDER BY "staging_rejection"."id" ASC FOR UPDATE OF "staging_rejection"' in locking


def test_a_payment_by_hand_is_recorded_with_its_reason() -> None:
    recording = record_manual_payment(BODY, reason="Cheque at the counter", actor=ACTOR, at=AT)

    payment = Payment.objects.get()
    assert (payment.id, payment.source) == (recording.payment_id, "manual")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_id, entry.reason) == (
        "payment.recorded-by-hand",
        str(payment.id),
        "Cheque at the counter",
    )


def test_the_same_payment_by_hand_again_writes_nothing() -> None:
    first = record_manual_payment(BODY, reason="Cheque", actor=ACTOR, at=AT)
    again = record_manual_payment(BODY, reason="Cheque", actor=ACTOR, at=AT)

    assert (again.is_new, again.payment_id) == (False, first.payment_id)
    assert count("payments") == count("outbox_event") == AuditEntry.objects.count() == 1


def test_a_payment_by_hand_against_the_record_is_refused_with_the_difference() -> None:
    record_manual_payment(BODY, reason="Cheque", actor=ACTOR, at=AT)

    with pytest.raises(ReferenceInConflict) as refusal:
        record_manual_payment(BODY | {"cif": "CIF8"}, reason="Cheque", actor=ACTOR, at=AT)

    assert refusal.value.context["difference"] == [{"field": "cif", "recorded": "CIF7", "received": "CIF8"}]
    assert count("payments") == 1
    assert count("reference_conflict") == 0
