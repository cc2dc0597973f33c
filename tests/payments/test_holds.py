"""What holds a month of payments back from the archive: each reason by itself, and those of other apps."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from kernel.jobs.operations import run_now
from payments import holds
from payments.holds import Held, Hold, find_holds, register_hold
from payments.models import Payment, PreviousReference, ReferenceConflict, ReferenceHistory, StagingRejection
from payments.operations.archiving import MonthHeld, carry_out
from payments.partitioning import PAYMENT_PARTITIONS
from tests.payments.archives import ACTOR, LEAP_DAY, OLD, an_old_month, archive_it, the_plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]


@pytest.fixture(autouse=True)
def _own_holds_only() -> Generator[None]:
    known = dict(holds._holds)
    yield
    holds._holds.clear()
    holds._holds.update(known)


def first() -> Payment:
    payment: Payment = Payment.objects.get(reference_number="OLD-0")
    return payment


def in_the_gate() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into payment_references select reference_number, payment_id, payment_date, created_at "
            "from payment_references_history where reference_number = 'OLD-0'"
        )
    return str(first().pk)


def in_the_generation_before() -> str:
    reference = ReferenceHistory.objects.get(pk="OLD-0")
    PreviousReference.objects.create(
        reference_number="OLD-0", payment_id=reference.payment_id, payment_date=LEAP_DAY, created_at=LEAP_DAY
    )
    return str(first().pk)


def in_an_open_conflict() -> str:
    conflict = ReferenceConflict.objects.create(
        reference_number="OLD-0",
        payment_id=first().pk,
        payment_date=first().payment_date,
        source="webhook",
        difference=[],
        received={},
        content_digest="x",
        detected_at=timezone.now(),
        last_seen_at=timezone.now(),
    )
    return str(conflict.pk)


def in_an_open_rejection() -> str:
    rejection = StagingRejection.objects.create(
        reference_number="OLD-0", reasons=["amount_not_positive"], raw={}, rejected_at=timezone.now()
    )
    return str(rejection.pk)


def position_of(reference: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select position from outbox_event where subject = %s",
            [str(Payment.objects.get(reference_number=reference).pk)],
        )
        return int(cursor.fetchone()[0])


def not_delivered() -> str:
    with connection.cursor() as cursor:
        cursor.execute("insert into outbox_delivery (position, key) values (%s, 'LN1')", [position_of("OLD-0")])
    return str(position_of("OLD-0"))


def not_sealed() -> str:
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute("delete from audit_seal")
        cursor.execute("set session_replication_role = origin")
    return str(position_of("OLD-0"))


def recorded_just_now() -> str:
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute(
            "update payments set created_at = %s where reference_number = 'OLD-0'",
            [timezone.now() - timedelta(minutes=59)],
        )
        cursor.execute("set session_replication_role = origin")
    return str(first().pk)


@pytest.mark.parametrize(
    ("name", "needed", "times"),
    [
        ("reference-in-gate", in_the_gate, 1),
        ("reference-in-gate", in_the_generation_before, 1),
        ("open-conflict", in_an_open_conflict, 1),
        ("open-rejection", in_an_open_rejection, 1),
        ("event-unpublished", not_delivered, 1),
        ("event-unsealed", not_sealed, 3),
        ("recorded-recently", recorded_just_now, 1),
    ],
)
def test_open_work_holds_the_month_back_and_says_which(name: str, needed: Callable[[], str], times: int) -> None:
    an_old_month(3)
    assert find_holds("payments_2024_02", at=timezone.now()) == ()

    sample = needed()

    (found,) = find_holds("payments_2024_02", at=timezone.now())
    assert (found.name, found.count) == (name, times)
    assert sample in found.samples
    with pytest.raises(MonthHeld, match=found.sentence):
        carry_out(the_plan(), actor=ACTOR, clock=timezone.now)
    assert OLD in PAYMENT_PARTITIONS.months()
    (month,) = run_now("archive_partitions", actor=ACTOR)["months"]
    assert (month["decision"], month["holds"]) == ("held", [found.as_json()])


def test_work_that_is_decided_or_about_another_month_holds_nothing_back() -> None:
    an_old_month(2)
    in_an_open_conflict()
    ReferenceConflict.objects.update(status="dismissed", resolved_by="pat", resolution_reason="known")
    in_an_open_rejection()
    StagingRejection.objects.update(status="dismissed", resolved_by="pat", resolution_reason="known")
    StagingRejection.objects.create(
        reference_number="ANOTHER", reasons=["amount_not_positive"], raw={}, rejected_at=timezone.now()
    )
    ReferenceConflict.objects.create(
        reference_number="ANOTHER",
        payment_id=uuid4(),
        payment_date=LEAP_DAY,
        source="webhook",
        difference=[],
        received={},
        content_digest="y",
        detected_at=timezone.now(),
        last_seen_at=timezone.now(),
    )

    assert find_holds("payments_2024_02", at=timezone.now()) == ()


def test_an_app_above_adds_a_reason_of_its_own() -> None:
    an_old_month(2)
    register_hold(Hold("test-invoice", "invoices are not settled", lambda table, at: Held(7, ("INV-1", "INV-2"))))

    with pytest.raises(MonthHeld, match=r"7 invoices are not settled \(INV-1, INV-2, …\)"):
        carry_out(the_plan(), actor=ACTOR, clock=timezone.now)

    register_hold(Hold("test-invoice", "invoices are not settled", lambda table, at: None))
    assert archive_it().status == "archived"


def test_at_most_five_samples_are_named_beside_the_count() -> None:
    an_old_month(8)
    not_sealed()

    (found,) = find_holds("payments_2024_02", at=timezone.now())

    assert (found.count, len(found.samples)) == (8, 5)
    assert str(found).endswith(", …)")
