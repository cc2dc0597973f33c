from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from kernel.audit.models import AuditEntry
from payments.models import Payment, ReferenceConflict, StagingRejection
from payments.operations.staging import record_chunk
from tests.console.people import signed_in
from tests.payments.staged import AT, a_row, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)
REJECTIONS = "/admin/payments/stagingrejection/"
CONFLICTS = "/admin/payments/referenceconflict/"


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def take_in(*rows: dict[str, Any]) -> None:
    stage(*rows)
    while record_chunk(batch_size=100, after_id=-1, attempt=1, at=AT):
        pass


def a_rejection(**changes: Any) -> StagingRejection:
    take_in(a_row(**({"amount": "-75.00"} | changes)))
    return StagingRejection.objects.get()


def a_conflict() -> ReferenceConflict:
    take_in(a_row(), a_row(amount="130.50"))
    return ReferenceConflict.objects.get()


def form_of(page: Any) -> dict[str, Any]:
    """What a browser would send back: the values that the page shows."""
    values = {bound.name: bound.value() for form in page.context["forms"] for bound in form}
    return {name: "" if value is None else value for name, value in values.items()} | {"confirmed": "yes"}


def test_the_list_shows_open_ones_and_the_archive_on_request(operator: Client) -> None:
    rejection = a_rejection()
    StagingRejection.objects.filter(pk=rejection.pk).update(
        status="dismissed", resolved_by="kim", resolution_reason="Test row"
    )
    take_in(a_row("REF-2", amount="-1"))

    def shown(**filters: str) -> list[str]:
        return [found.reference_number for found in operator.get(REJECTIONS, filters).context["cl"].result_list]

    assert shown() == ["REF-2"]
    assert shown(status="dismissed") == ["REF-1"]
    assert shown(status="all") == ["REF-2", "REF-1"]
    assert shown(q="REF-2") == ["REF-2"]
    assert shown(q=str(rejection.staging_id), status="all") == ["REF-1"]


def test_a_rejection_says_every_reason_at_its_field(operator: Client) -> None:
    rejection = a_rejection(cif="", metadata='{"note": "<script>alert(1)</script>"}')

    page = operator.get(f"{REJECTIONS}{rejection.pk}/change/")
    text = page.content.decode()

    wrong = {row.label for row in page.context["comparison"].rows if row.is_wrong}
    assert wrong == {"Amount", "CIF"}
    assert "Give the CIF." in text
    assert "-75.00" in text
    assert "<script>alert(1)</script>" not in text


def test_a_correction_starts_from_the_raw_row_and_records_it(operator: Client) -> None:
    rejection = a_rejection(metadata='{"terminal": 7, "rate": 0.10}')
    address = f"{REJECTIONS}{rejection.pk}/correct/"
    form = form_of(operator.get(address))
    assert (form["reference_number"], form["amount"]) == ("REF-1", "-75.00")

    answer = operator.post(address, form | {"amount": "75.00", "reason": "Sign turned, ticket 88"})

    assert answer.status_code == 302
    payment = Payment.objects.get()
    assert (payment.amount, payment.source, payment.payment_date) == (
        Decimal("75.00"),
        "staging",
        AT.replace(hour=16),
    )
    assert payment.metadata == {"terminal": 7, "rate": 0.1}
    rejection.refresh_from_db()
    assert (rejection.status, rejection.resolved_by, rejection.recorded_payment_id) == (
        "recorded",
        "pat-operator",
        payment.id,
    )
    page = operator.get(f"{REJECTIONS}{rejection.pk}/change/").content.decode()
    assert "Sign turned, ticket 88" in page
    assert str(payment.id) in page
    assert "/correct/" not in page


def test_a_correction_that_is_still_wrong_changes_nothing(operator: Client) -> None:
    rejection = a_rejection()
    address = f"{REJECTIONS}{rejection.pk}/correct/"
    form = form_of(operator.get(address))

    page = operator.post(address, form | {"reason": "Trying"})

    assert page.status_code == 200
    assert list(page.context["forms"][0].errors) == ["amount"]
    rejection.refresh_from_db()
    assert rejection.status == "open"
    assert (Payment.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_raw_text_cannot_become_markup_on_the_correction_page(operator: Client) -> None:
    rejection = a_rejection(amount="12.00", cif="<img src=x>\u200b")
    assert rejection.reasons == ["cif_invisible_character"]

    page = operator.get(f"{REJECTIONS}{rejection.pk}/correct/").content.decode()

    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_second_decision_is_refused_with_the_first_one_told(operator: Client) -> None:
    rejection = a_rejection()
    address = f"{REJECTIONS}{rejection.pk}/dismiss/"
    first = operator.post(address, {"reason": "A test of the sender", "confirmed": "yes"})
    second = operator.post(address, {"reason": "Other", "confirmed": "yes"})

    assert (first.status_code, second.status_code) == (302, 409)
    assert "A test of the sender" in second.content.decode()
    rejection.refresh_from_db()
    assert (rejection.status, rejection.resolution_reason) == ("dismissed", "A test of the sender")
    assert AuditEntry.objects.count() == 1


def test_several_are_dismissed_at_once_with_one_reason(operator: Client) -> None:
    take_in(a_row("A", amount="-1"), a_row("B", amount="-2"), a_row("C", amount="-3"))
    chosen = list(StagingRejection.objects.exclude(reference_number="C").values_list("pk", flat=True))
    selection = {"action": "dismiss", ACTION_CHECKBOX_NAME: [str(pk) for pk in chosen]}

    asked = operator.post(REJECTIONS, selection)
    assert StagingRejection.objects.filter(status="open").count() == 3
    operator.post(REJECTIONS, selection | {"reason": "Trial run", "confirmed": "yes", "record_count": "2"})

    assert asked.status_code == 200
    assert list(StagingRejection.objects.filter(status="open").values_list("reference_number", flat=True)) == ["C"]
    assert set(AuditEntry.objects.values_list("reason", flat=True)) == {"Trial run"}


def test_a_conflict_marks_what_differs_in_words_and_links_the_payment(operator: Client) -> None:
    conflict = a_conflict()

    page = operator.get(f"{CONFLICTS}{conflict.pk}/change/")
    text = page.content.decode()

    assert [row.label for row in page.context["comparison"].rows if row.is_wrong] == ["Amount"]
    assert ">differs</span>" in text
    assert f"/admin/payments/payment/{conflict.payment_id}/change/" in text


def test_a_conflict_is_recorded_under_a_reference_of_its_own_and_not_under_the_taken_one(operator: Client) -> None:
    conflict = a_conflict()
    address = f"{CONFLICTS}{conflict.pk}/correct/"
    form = form_of(operator.get(address)) | {"reason": "Two payments on one slip"}

    taken = operator.post(address, form)
    assert taken.status_code == 409
    assert "recorded 120.50, given 130.50" in taken.content.decode()
    assert Payment.objects.count() == 1
    own = operator.post(address, form | {"reference_number": "REF-1-B"})

    assert own.status_code == 302
    assert sorted(Payment.objects.values_list("reference_number", "amount")) == [
        ("REF-1", Decimal("120.50")),
        ("REF-1-B", Decimal("130.50")),
    ]
    conflict.refresh_from_db()
    assert conflict.status == "recorded"


@pytest.mark.parametrize("role", ["viewer", "approver", "administrator", "auditor"])
def test_only_operators_see_the_decisions_and_may_take_them(role: str) -> None:
    rejection, client = a_rejection(), signed_in(role)
    for name in ("correct", "dismiss"):
        address = f"{REJECTIONS}{rejection.pk}/{name}/"
        assert address not in client.get(f"{REJECTIONS}{rejection.pk}/change/").content.decode()
        assert client.post(address, {"reason": "No", "confirmed": "yes"}).status_code == 403
    bulk = {"action": "dismiss", ACTION_CHECKBOX_NAME: [str(rejection.pk)], "confirmed": "yes", "record_count": "1"}
    assert client.post(REJECTIONS, bulk | {"reason": "No"}).status_code == 403
    rejection.refresh_from_db()
    assert rejection.status == "open"
