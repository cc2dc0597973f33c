"""The pages of refunds and credits, and what an account's page shows of its invoices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from invoices.models import Credit, Invoice, Refund
from invoices.operations.crediting import apply_credit
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refundplans import RefundPart
from invoices.operations.settling import settle
from invoices.states import FeeType
from kernel.audit.models import AuditEntry
from tests.console.people import signed_in
from tests.invoices.billed import STAFF, an_invoice, evidence_of

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/invoices/refund/"


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def paid(method: str = "PAD", **changes: Any) -> Invoice:
    invoice = an_invoice(method, **changes)
    settle(invoice.pk, evidence_of(invoice, f"R{invoice.pk}"), actor=STAFF, at=timezone.now())
    return Invoice.objects.get(pk=invoice.pk)


def refunded(invoice: Invoice, amount: str = "") -> Refund:
    parts = [RefundPart(invoice.lines.get().pk, FeeType.BASE_FEES, Decimal(amount))] if amount else None
    return request_refund(invoice.pk, parts, reason="Filed twice", actor=STAFF, at=timezone.now())


def page_of(refund: Refund) -> str:
    return f"{LIST}{refund.pk}/change/"


def ids_on(page: Any) -> set[int]:
    assert page.status_code == 200
    return {refund.pk for refund in page.context["cl"].result_list}


def offered(client: Client, refund: Refund) -> list[str]:
    return [allowed.title for allowed in client.get(page_of(refund)).context["allowed"]]


def test_refunds_are_found_and_narrowed_down(operator: Client) -> None:
    done, waits = refunded(paid("PAD")), refunded(paid("EFT"))
    Refund.objects.filter(pk=done.pk).update(requested_at=timezone.now() - timedelta(days=8))

    found = {
        key: ids_on(operator.get(LIST, dict([key.split("=")])))
        for key in (
            "status=under-way",
            "status=PROCESSED",
            "outcome=CREDIT",
            "age=7",
            "age=new",
            "account=A-EFT",
            f"q={waits.invoice_id}",
            "q=A-PAD",
        )
    }

    assert found == {
        "status=under-way": {waits.pk},
        "status=PROCESSED": {done.pk},
        "outcome=CREDIT": {done.pk},
        "age=7": {done.pk},
        "age=new": {waits.pk},
        "account=A-EFT": {waits.pk},
        f"q={waits.invoice_id}": {waits.pk},
        "q=A-PAD": {done.pk},
    }


def test_the_page_of_a_refund_says_what_it_waits_for_and_what_goes_back(operator: Client) -> None:
    refund = refunded(paid("EFT"))

    page = operator.get(page_of(refund))
    text = page.content.decode()

    assert page.context["guidance"]["sentence"].startswith("What happens next: Whoever gives the money back")
    assert offered(operator, refund) == ["Record that it went back", "Record that it was refused"]
    for part in ("Filing fee", "GST on the filing", "Service fee", "GST on the service fee", "Filed twice"):
        assert part in text


def test_that_money_went_back_is_recorded_with_its_evidence_and_day(operator: Client) -> None:
    refund = refunded(paid("EFT"))
    address = f"{LIST}{refund.pk}/confirm/"
    assert operator.get(address).status_code == 200

    bare = operator.post(address, {"confirmed": "yes", "final_on": "2026-01-02"})
    future = operator.post(address, {"confirmed": "yes", "evidence": "T1", "final_on": "2099-01-01"})
    assert "Give what proves" in bare.content.decode()
    assert "has not come yet" in future.content.decode()
    refund.refresh_from_db()
    assert refund.status == "PROCESSING"

    operator.post(address, {"confirmed": "yes", "evidence": "Transfer 88", "final_on": "2026-11-02"})

    refund.refresh_from_db()
    invoice = Invoice.objects.get(pk=refund.invoice_id)
    assert (refund.status, refund.evidence, invoice.status) == ("PROCESSED", "Transfer 88", "REFUNDED")
    assert invoice.refund_date is not None
    assert f"{timezone.localtime(invoice.refund_date):%Y-%m-%d}" == "2026-11-02"
    assert offered(operator, refund) == []


def test_that_it_was_refused_leaves_the_invoice_as_before(operator: Client) -> None:
    refund = refunded(paid("EFT"))

    operator.post(f"{LIST}{refund.pk}/refuse/", {"confirmed": "yes", "error": "Account closed"})

    refund.refresh_from_db()
    assert (refund.status, refund.gl_error) == ("REFUSED", "Account closed")
    assert Invoice.objects.get(pk=refund.invoice_id).status == "PAID"


@pytest.mark.parametrize("role", ["viewer", "approver", "auditor", "administrator"])
def test_who_may_not_confirm_is_refused_and_nothing_changes(role: str) -> None:
    refund = refunded(paid("EFT"))
    entries = AuditEntry.objects.count()
    person = signed_in(role)

    for action in ("confirm", "refuse"):
        assert person.get(f"{LIST}{refund.pk}/{action}/").status_code == 403
        given = {"confirmed": "yes", "evidence": "T1", "final_on": "2026-01-02", "error": "x"}
        assert person.post(f"{LIST}{refund.pk}/{action}/", given).status_code == 403

    refund.refresh_from_db()
    assert (refund.status, AuditEntry.objects.count()) == ("PROCESSING", entries)


def test_credits_show_what_is_left_and_which_invoices_they_paid(operator: Client) -> None:
    first = paid("PAD")
    refunded(first)
    later = an_invoice("PAD", account=first.account)
    apply_credit(later.pk, actor=STAFF, at=timezone.now())
    refunded(paid("PAD"), "5.00")
    used, left = Credit.objects.order_by("pk")

    assert ids_on(operator.get("/admin/invoices/credit/", {"left": "yes"})) == {left.pk}
    assert ids_on(operator.get("/admin/invoices/credit/", {"left": "no"})) == {used.pk}
    assert ids_on(operator.get("/admin/invoices/credit/", {"q": str(left.pk)})) == {left.pk}
    page = operator.get(f"/admin/invoices/credit/{used.pk}/change/")
    lines = {line.label: line.amount for line in page.context["money_box"].lines}
    assert lines == {"Amount": Decimal("33.08"), "Applied to invoices": Decimal("33.08"), "Left": Decimal("0.00")}
    assert f"Invoice {later.pk}" in page.content.decode()
    assert page.context["allowed"] == []


@pytest.mark.parametrize("place", ["refund", "credit", "cardattempt", "outsidecall"])
@pytest.mark.usefixtures("kept_sidebar")
def test_lists_ask_as_often_for_many_rows_as_for_few(operator: Client, place: str) -> None:
    counts = []
    for total in (2, 8):
        while Invoice.objects.count() < total * 2:
            refunded(paid("PAD"), "1.00")
            an_invoice("DRAWDOWN")
        operator.get(f"/admin/invoices/{place}/")
        with CaptureQueriesContext(connection) as queries:
            page = operator.get(f"/admin/invoices/{place}/", {"status": "all"} if place == "outsidecall" else {})
        assert page.status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 20


@pytest.mark.usefixtures("kept_sidebar")
def test_pages_take_a_bounded_number_of_queries(operator: Client) -> None:
    refund = refunded(paid("PAD"))
    credit = Credit.objects.get()
    for address in (page_of(refund), f"/admin/invoices/credit/{credit.pk}/change/"):
        operator.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(address).status_code == 200
        assert len(queries) <= 25, address


def test_the_page_of_an_account_shows_what_it_owes_its_credits_and_its_last_refunds(operator: Client) -> None:
    first = paid("PAD")
    refund = refunded(first, "5.00")
    owing = an_invoice("PAD", account=first.account)
    an_invoice("PAD", account=first.account)

    text = operator.get(f"/admin/accounts/paymentaccount/{first.account_id}/change/").content.decode()

    assert "Owing together: 66.16 CAD" in text
    assert "Left: 5.00 CAD for Pre-authorised debit" in text
    for link in (
        f"/admin/invoices/invoice/{owing.pk}/",
        page_of(refund),
        f"/admin/invoices/credit/{Credit.objects.get().pk}/",
    ):
        assert link in text
    assert "/admin/invoices/invoice/?account=A-PAD&amp;status=open" in text


def test_an_account_without_invoices_says_so(operator: Client) -> None:
    account = an_invoice("PAD").account
    Invoice.objects.update(status="PAID", paid_amount="33.08", payment_date=timezone.now())

    text = operator.get(f"/admin/accounts/paymentaccount/{account.pk}/change/").content.decode()

    assert "It owes nothing." in text
    assert "It has no credit." in text
    assert "Nothing was given back to it." in text


def test_a_refund_that_is_paid_back_but_not_booked_says_what_finance_must_do(operator: Client) -> None:
    booked, rejected = refunded(paid("PAD")), refunded(paid("PAD"))
    Refund.objects.filter(pk=booked.pk).update(gl_posted_at=timezone.now())
    Refund.objects.filter(pk=rejected.pk).update(gl_error="Closed GL code")

    well, ill = (operator.get(page_of(refund)) for refund in (booked, rejected))

    assert "rejected a revenue line" in ill.context["guidance"]["sentence"]
    assert "Closed GL code" in ill.content.decode()
    assert well.context["guidance"]["sentence"].startswith("Nothing more happens")
    assert "Booked by the gateway" in well.content.decode()
    assert "Booked by the gateway" not in ill.content.decode()
