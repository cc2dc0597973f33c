"""What whoever decides about a refund reads on the page of its request: words, figures, and links to all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from invoices.models import Invoice, Refund
from invoices.operations.refunding import record_manual_refund
from tests.console.people import signed_in
from tests.invoices.billed import STAFF, a_paid_invoice, a_part, a_priced_filing, a_product, refund

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def approver() -> Client:
    return signed_in("approver")


def asked_for(amount: str = "10.00") -> tuple[Invoice, Refund]:
    a_product("CP", refund_approval=True)
    a_priced_filing()
    invoice = a_paid_invoice("PAD")
    return invoice, refund(invoice, a_part(invoice, amount), at=timezone.now())


def page_of(asked: Refund) -> str:
    return f"/admin/approvals/approvalrequest/{asked.approval_id}/change/"


def rows_of(page: Any) -> str:
    text = page.content.decode()
    return " ".join(text[text.index('class="ps-comparison"') : text.index("sha256 of the content")].split())


def test_the_page_says_the_content_in_words_and_leads_to_what_it_is_about(approver: Client) -> None:
    invoice, asked = asked_for()

    page = approver.get(page_of(asked))

    shown = rows_of(page)
    assert f"OTANN {invoice.lines.get().description}, Filing fee: 10.00" in shown
    assert "Credit on the account" in shown
    for code in ("BASE_FEES", "CREDIT<", "PAID<", "fee_type"):
        assert code not in shown
    links = [str(link) for group in page.context["related"] for link in group.links]
    for address in (
        f"/admin/invoices/invoice/{invoice.pk}/change/",
        f"/admin/invoices/refund/{asked.pk}/change/",
        f"/admin/accounts/paymentaccount/?q={invoice.account.account_number}",
    ):
        assert any(address in link for link in links), address


def test_the_page_of_the_invoice_says_that_its_refund_waits_and_where(approver: Client) -> None:
    invoice, asked = asked_for()

    guidance = approver.get(f"/admin/invoices/invoice/{invoice.pk}/change/").context["guidance"]

    assert guidance["sentence"] == "It is paid. This waits for somebody:"
    [(link, words)] = guidance["choices"]
    assert page_of(asked) in str(link)
    assert words == "10.00 CAD wait for a second person to agree."


def test_what_changed_since_is_said_in_the_same_words(approver: Client) -> None:
    invoice, asked = asked_for()
    parts = [a_part(invoice, "1.00")]
    record_manual_refund(invoice.pk, parts, reason="By cheque", evidence="C-1", actor=STAFF, at=timezone.now())

    page = approver.get(page_of(asked))

    assert "1.00 (changed)" in rows_of(page)
    assert page.context["allowed"][0].effect.startswith("Not possible any more")
    refused = approver.post(
        f"/admin/approvals/approvalrequest/{asked.approval_id}/approve/", {"confirmed": "yes", "reason": "Fine"}
    )
    assert refused.status_code == 409
    asked.refresh_from_db()
    assert (asked.status, Invoice.objects.get().credited_amount) == ("PENDING_APPROVAL", Decimal("0.00"))


def test_what_came_of_an_approval_is_said_in_words(approver: Client) -> None:
    _, asked = asked_for()

    approver.post(
        f"/admin/approvals/approvalrequest/{asked.approval_id}/approve/", {"confirmed": "yes", "reason": "As agreed"}
    )

    text = approver.get(page_of(asked)).content.decode()
    assert f"Refund: {asked.pk}<br>Status: Done<br>Invoice status: Paid" in text
