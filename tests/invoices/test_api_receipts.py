"""Receipts over the API: what paid an invoice, as data, and as the PDF that the payer gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts.scopes import INVOICES_READ
from invoices.models import Invoice
from invoices.operations.settling import bounce, settle
from tests.invoices.billed import AT, STAFF, a_paid_invoice, a_part, a_payer, a_priced_filing, an_invoice, evidence_of
from tests.invoices.billed import refund as refunded
from tests.invoices.budgets import queries_of
from tests.invoices.partners import INVOICES, PARTNER_SCOPES, Partner, an_order, answered, refused
from tests.invoices.pdftext import pages_of
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 8
SUMMER = datetime(2026, 7, 2, 18, 0, tzinfo=UTC)


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def receipts_path(invoice: Invoice) -> str:
    return f"{INVOICES}/{invoice.pk}/receipts"


def pdf_path(invoice_id: int) -> str:
    return f"{INVOICES}/{invoice_id}/receipt.pdf"


def pdf_of(partner: Partner, invoice_id: int) -> bytes:
    response = partner.get(pdf_path(invoice_id))
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'inline; filename="receipt-{invoice_id}.pdf"'
    assert response.content.startswith(b"%PDF-")
    assert response.content.rstrip().endswith(b"%%EOF")
    return response.content


def texts_in(pdf: bytes) -> list[str]:
    """What the pages say, piece by piece."""
    return "\n".join(pages_of(pdf)).split("\n")


def test_the_receipts_of_an_invoice_tell_what_counts_and_what_was_taken_back(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD", number="R1")
    bounce(invoice.pk, reason="Funds not cleared", actor=STAFF, at=AT + timedelta(days=1))
    settle(invoice.pk, evidence_of(invoice, "R2"), actor=STAFF, at=AT + timedelta(days=2))
    receipts = answered(partner.get(receipts_path(invoice)))
    shown = [(each["receiptNumber"], each["amount"], each["isReversed"]) for each in receipts]  # type: ignore[index]
    assert shown == [("R1", "33.08", True), ("R1", "33.08", False), ("R2", "33.08", False)]
    first, reversal, second = receipts
    assert (first["reverses"], reversal["reverses"], second["reverses"]) == (None, first["id"], None)  # type: ignore[index]
    assert second == {
        "id": second["id"],  # type: ignore[index]
        "receiptNumber": "R2",
        "amount": "33.08",
        "currency": "CAD",
        "receiptDate": "2026-11-24T18:00:00Z",
        "source": "settlement",
        "reverses": None,
        "isReversed": False,
        "createdAt": "2026-11-26T18:00:00Z",
    }
    assert answered(partner.get(f"{INVOICES}/{invoice.pk}"))["receipts"] == receipts


def test_an_invoice_that_nobody_has_paid_has_no_receipt_yet(partner: Partner) -> None:
    invoice = an_invoice("EFT")
    assert answered(partner.get(receipts_path(invoice))) == []
    problem = answered(partner.get(pdf_path(invoice.pk)), 409)
    assert (problem["code"], problem["ids"], problem["invoice_status"]) == (
        "receipt-not-ready",
        [invoice.pk],
        "APPROVED",
    )
    shown = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (shown["links"]["receiptPdf"], shown["paymentDate"]) == (None, None)
    settle(invoice.pk, evidence_of(invoice, amount="10.00"), actor=STAFF, at=AT)
    assert answered(partner.get(pdf_path(invoice.pk)), 409)["code"] == "receipt-not-ready"


def test_the_pdf_says_what_was_ordered_what_it_cost_and_what_paid_it(partner: Partner) -> None:
    details = ({"label": "Agent", "value": "<b>A. Customer</b> & Co"},)
    invoice = an_invoice("PAD", folio_number="Folio 7", business_identifier="BC1234567", details=details)
    settle(invoice.pk, evidence_of(invoice, "R7", receipt_date=SUMMER, final_at=SUMMER), actor=STAFF, at=AT)
    texts = texts_in(pdf_of(partner, invoice.pk))
    for said in (
        "Receipt",
        "Product CP",
        str(invoice.pk),
        "A-PAD Customer A-PAD",
        "BC1234567",
        "Folio 7",
        "Filing OTANN",
        "30.00",
        "1.50",
        "0.08",
        "33.08 CAD",
        "R7",
        "2026-07-02 11:00 PDT",
        "settlement",
    ):
        assert said in texts, (said, texts)
    # What a partner sent is text, whatever it looks like; a line is set in pieces.
    assert "<b>A. Customer</b> & Co" in "".join(texts)
    assert "Given back since" not in texts
    assert answered(partner.get(f"{INVOICES}/{invoice.pk}"))["links"]["receiptPdf"] == pdf_path(invoice.pk)


def test_the_pdf_has_the_same_bytes_until_something_of_the_invoice_changes(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    first = pdf_of(partner, invoice.pk)
    assert pdf_of(partner, invoice.pk) == first
    refunded(invoice, a_part(invoice, "10.00"))
    later = pdf_of(partner, invoice.pk)
    assert later != first
    texts = texts_in(later)
    assert texts[texts.index("Given back since") + 1] == "10.00 CAD"


@pytest.mark.parametrize("method", ["EFT", "EJV", "ONLINE_BANKING", "PAD"])
def test_what_a_later_file_pays_has_a_receipt_then(partner: Partner, method: str) -> None:
    invoice = a_paid_invoice(method)
    assert "R1" in texts_in(pdf_of(partner, invoice.pk))


def test_a_drawdown_and_what_costs_nothing_have_their_receipt_at_once(
    partner: Partner, simulators: RunningSimulators
) -> None:
    a_payer("DRAWDOWN")
    drawn = answered(partner.post(INVOICES, an_order("A-DRAWDOWN")), 201)
    texts = texts_in(pdf_of(partner, drawn["id"]))
    assert ("B00000001" in texts, "prepaid" in texts) == (True, True)
    a_priced_filing("FREE", variable=True)
    free = answered(partner.post(INVOICES, an_order("A-DRAWDOWN", {"filingTypeCode": "FREE", "fee": "0"})), 201)
    assert (free["status"], free["paymentMethod"]) == ("PAID", "NO_FEE")
    assert "0.00 CAD" in texts_in(pdf_of(partner, free["id"]))


def test_a_card_payment_has_its_receipt_once_the_gateway_says_that_it_is_paid(
    partner: Partner, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    body = {"clientSystemUrl": "https://shop.test/"}
    opened = answered(partner.post(f"{INVOICES}/{invoice.pk}/transactions", body), 201)
    assert answered(partner.get(pdf_path(invoice.pk)), 409)["code"] == "receipt-not-ready"
    back = simulators.decide(opened["payUrl"])
    assert partner.client.get(back).status_code == 303
    texts = texts_in(pdf_of(partner, invoice.pk))
    assert ("CARD00000001" in texts, "card" in texts) == (True, True)


def test_a_receipt_is_read_in_the_type_that_is_asked_for_or_refused_as_a_problem(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    assert partner.get(pdf_path(invoice.pk), Accept="application/pdf").content == pdf_of(partner, invoice.pk)
    assert answered(partner.get(pdf_path(invoice.pk), Accept="image/png"), 406)["code"] == "not-acceptable"
    unpaid = an_invoice("EFT")
    answer = partner.get(pdf_path(unpaid.pk), Accept="application/pdf")
    assert answer["Content-Type"] == "application/problem+json"
    assert answered(answer, 409)["code"] == "receipt-not-ready"
    assert refused(partner.get(pdf_path(invoice.pk), {"size": "A4"})) == [("size", "unknown")]


def test_receipts_are_for_who_may_see_the_invoice_and_has_the_scope(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    without = Partner("without", scopes=sorted(set(PARTNER_SCOPES) - {INVOICES_READ}))
    stranger = Partner("stranger", all_accounts=False)
    for path in (receipts_path(invoice), pdf_path(invoice.pk)):
        assert answered(without.get(path), 403)["required_scope"] == INVOICES_READ
        assert answered(stranger.get(path), 404)["code"] == "invoice-not-found"


def test_receipts_cost_the_same_queries_however_many_they_are(partner: Partner) -> None:
    invoice = an_invoice("ONLINE_BANKING")
    counts = []
    for number in range(6):
        settle(invoice.pk, evidence_of(invoice, f"R{number}", amount="1.00"), actor=STAFF, at=AT)
        assert len(answered(partner.get(receipts_path(invoice)))) == number + 1
        counts.append(queries_of(partner.get, receipts_path(invoice)))
    assert len(set(counts)) == 1
    assert counts[0] <= MOST_QUERIES
