"""A payment that lies in an archive is not simply missing: the API and the console say where it is."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from payments.models import PartitionArchive, Payment
from payments.operations.recording import record_notice
from payments.operations.restoring import restore_archive
from payments.search import find_archive
from payments.states import PaymentSource
from tests.console.people import signed_in
from tests.payments.archives import ACTOR, LEAP_DAY, an_old_month, archive_it, release
from tests.payments.recorded import notice

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]
PAYMENTS = "/admin/payments/payment/"


def reader() -> APIClient:
    client = APIClient()
    key: Any = SimpleNamespace(scopes=frozenset({"payments:read"}), is_authenticated=True)
    client.force_authenticate(user=key, token=key)
    return client


@pytest.fixture
def archived() -> dict[str, Any]:
    """The id of a payment by its reference, of a month that is archived."""
    an_old_month(3)
    ids = {payment.reference_number: payment.pk for payment in Payment.objects.all()}
    archive_it()
    return ids


def test_a_reference_that_is_archived_is_answered_with_month_and_archive(archived: dict[str, Any]) -> None:
    answer = reader().get("/api/v1/payments?reference=OLD-1")

    assert answer.status_code == 410
    problem = answer.json()
    assert (problem["code"], problem["month"], problem["archive"], problem["part"]) == (
        "payment-archived",
        "2024-02",
        "payments_2024_02.tsv.gz",
        1,
    )


def test_an_id_that_is_archived_is_answered_the_same(archived: dict[str, Any]) -> None:
    answer = reader().get(f"/api/v1/payments/{archived['OLD-2']}")

    assert (answer.status_code, answer.json()["code"]) == (410, "payment-archived")


def test_what_was_never_recorded_is_still_not_found(archived: dict[str, Any]) -> None:
    assert reader().get("/api/v1/payments?reference=NEVER").json()["items"] == []
    answer = reader().get(f"/api/v1/payments/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment-not-found")


def test_a_pruned_reference_whose_month_is_attached_is_found_as_ever() -> None:
    an_old_month(2)

    (found,) = reader().get("/api/v1/payments?reference=OLD-1").json()["items"]

    assert found["reference_number"] == "OLD-1"
    assert find_archive(reference="OLD-1") is None


def test_a_late_payment_is_named_with_the_part_that_holds_it(archived: dict[str, Any]) -> None:
    # Taken out in May, as far as the record says; the late payment came after that.
    PartitionArchive.objects.update(detached_at=LEAP_DAY + timedelta(days=70))
    late = notice("LATE", payment_date=LEAP_DAY)
    record_notice(late, source=PaymentSource.MANUAL, at=LEAP_DAY + timedelta(days=100))
    release()
    assert find_archive(reference="LATE") is None
    archive_it()

    parts = {reference: find_archive(reference=reference) for reference in ("OLD-0", "LATE")}

    assert {reference: archive.part for reference, archive in parts.items() if archive} == {"OLD-0": 1, "LATE": 2}


def test_the_consoles_search_leads_to_the_archive(archived: dict[str, Any]) -> None:
    operator = signed_in("operator")
    archive = PartitionArchive.objects.get()

    for term in ("OLD-1", str(archived["OLD-1"])):
        page = operator.get(PAYMENTS, {"q": term}).content.decode()
        assert "This payment was recorded and is archived." in page
        assert f"/admin/payments/partitionarchive/{archive.pk}/change/?find={term}" in page
    assert "is archived" not in operator.get(PAYMENTS, {"q": "NEVER"}).content.decode()
    assert "is archived" not in operator.get(PAYMENTS).content.decode()


def test_a_link_to_an_archived_payment_leads_to_its_archive(archived: dict[str, Any]) -> None:
    operator, archive = signed_in("operator"), PartitionArchive.objects.get()

    answer = operator.get(f"{PAYMENTS}{archived['OLD-1']}/change/")

    place = f"/admin/payments/partitionarchive/{archive.pk}/change/?find={archived['OLD-1']}"
    assert (answer.status_code, answer["Location"]) == (302, place)
    assert f"{archived['OLD-1']}”, restore" in operator.get(place).content.decode()
    assert operator.get(f"{PAYMENTS}{uuid4()}/change/")["Location"] == "/admin/"
    assert operator.get(f"{PAYMENTS}nonsense/change/")["Location"] == "/admin/"


def test_after_a_restore_the_link_shows_the_payment(archived: dict[str, Any]) -> None:
    archive = PartitionArchive.objects.get()
    restore_archive(archive.pk, actor=ACTOR, at=timezone.now())
    operator: Client = signed_in("operator")

    page = operator.get(f"{PAYMENTS}{archived['OLD-1']}/change/", follow=True).content.decode()

    assert "OLD-1" in page
    assert "11.05" in page
    assert "OLD-2" not in page
