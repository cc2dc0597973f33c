"""A receipt says what was bought, what was paid, how and when, in full, and the same facts give the same file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.quote import FilingLine
from invoices.documents.facts import (
    Payment,
    ReceiptFacts,
    ReceiptLine,
    ReceiptNotReady,
    receipt_facts,
    written,
)
from invoices.documents.receiptpdf import receipt_pdf
from invoices.models import Invoice
from invoices.operations.settling import bounce, charge_back, schedule, settle
from tests.invoices.billed import AT, STAFF, a_paid_invoice, a_part, an_invoice, evidence_of, refund, stored
from tests.invoices.pdftext import pages_of

FACTS = ReceiptFacts(
    title="Company registry",
    heading=(("Invoice", "42"), ("Invoice number", "REG00000042"), ("Account", "1001 Example Ltd")),
    details=(("Filed by", "A. Clerk"),),
    lines=(ReceiptLine("Annual report", 2, Decimal("1234.50"), Decimal("61.73")),),
    payments=(Payment("R-1", "2026-11-24 11:00 PST", "card", Decimal("1297.81")),),
    service_fees=Decimal("1.50"),
    service_gst=Decimal("0.08"),
    gst=Decimal("61.81"),
    total=Decimal("1297.81"),
    paid=Decimal("1297.81"),
    given_back=Decimal("0.00"),
    currency="CAD",
)


def text_of(facts: ReceiptFacts) -> str:
    return "\n".join(pages_of(receipt_pdf(facts)))


def facts_of(invoice: Invoice) -> ReceiptFacts:
    return receipt_facts(Invoice.objects.select_related("account", "product").get(pk=invoice.pk))


def test_everything_that_was_bought_and_paid_stands_on_it() -> None:
    pieces = text_of(FACTS).split("\n")

    for said in (
        *("Receipt", "Company registry", "Invoice", "42", "REG00000042", "1001 Example Ltd", "Filed by", "A. Clerk"),
        *("Annual report", "2", "1,234.50", "61.73", "Service fee", "1.50", "0.08"),
        *("GST included", "61.81 CAD", "Total", "1,297.81 CAD", "Paid", "R-1", "2026-11-24 11:00 PST", "card"),
    ):
        assert said in pieces, said
    assert "Given back since" not in pieces
    # Total, paid, and the one payment.
    assert pieces.count("1,297.81 CAD") == 3
    assert pieces[0] == "Page 1"


def test_what_was_given_back_since_is_said() -> None:
    pieces = text_of(replace(FACTS, given_back=Decimal("100.00"))).split("\n")
    assert "100.00 CAD" in pieces[pieces.index("Given back since") :]


def test_an_invoice_without_a_service_fee_has_no_line_for_one() -> None:
    assert "Service fee" not in text_of(replace(FACTS, service_fees=Decimal("0.00"))).split("\n")


def test_the_same_facts_give_the_same_bytes() -> None:
    assert receipt_pdf(FACTS) == receipt_pdf(replace(FACTS))
    assert receipt_pdf(FACTS) != receipt_pdf(replace(FACTS, paid=Decimal("1.00")))


def test_two_hundred_lines_go_over_pages_each_with_the_heads_of_its_columns() -> None:
    lines = tuple(ReceiptLine(f"Search {place:03d}", 1, Decimal("7.00"), Decimal("0.35")) for place in range(200))

    pages = pages_of(receipt_pdf(replace(FACTS, lines=lines)))

    drawn = "\n".join(pages).split("\n")
    assert [piece for piece in drawn if piece.startswith("Search ")] == [f"Search {place:03d}" for place in range(200)]
    assert [page.split("\n")[0] for page in pages] == [f"Page {number}" for number in range(1, len(pages) + 1)]
    with_items = [page for page in pages if "Search " in page]
    assert len(with_items) > 3
    assert all("Quantity" in page for page in with_items)
    assert "R-1" in pages[-1]


@pytest.mark.parametrize("words", ["Long words of a description ", "x", "W", "a ", "é"])
def test_texts_of_the_greatest_lengths_are_wrapped_and_none_of_them_is_lost(words: str) -> None:
    description, label, value = ((words * 500)[:length].strip() for length in (200, 100, 500))
    details = tuple((label, value) for _ in range(50))
    facts = replace(FACTS, lines=(ReceiptLine(description, 1, Decimal(1), Decimal(0)),), details=details)

    drawn = "".join(text_of(facts).split()).replace("Page1", "")

    assert drawn.count("".join(value.split())) >= 50
    assert "Item" in drawn
    assert "".join(description.split()) in drawn.partition("Quantity")[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Café Ångström Œuvre Łódź 5 €", "Café Ångström Œuvre Łódz 5 €"),
        ("Cafe\u0301", "Café"),
        ("Ｆｕｌｌ ①½", "Full 1½"),
        ("kʷ y̓", "kw y"),
        ("株式会社", "????"),
        ("Привет", "??????"),
        ("a\x00b\u200bc\u202ed", "a b c d"),
        ("<b>&amp;</b> <para>", "<b>&amp;</b> <para>"),
        ("100 % (net) \\ [x]", "100 % (net) \\ [x]"),
    ],
)
def test_letters_that_the_font_lacks_are_drawn_as_the_nearest_and_never_as_empty_boxes(text: str, shown: str) -> None:
    drawn = text_of(replace(FACTS, title=text)).replace("\n", "").replace(" ", "")
    assert f"Receipt{shown.replace(' ', '')}Invoice42" in drawn


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_of_a_partner_breaks_the_receipt(label: str, value: str) -> None:
    facts = replace(FACTS, details=((label, value),), lines=(ReceiptLine(value, 1, Decimal(1), Decimal(0)),))
    drawn = text_of(facts)
    assert "\x00" not in drawn
    assert "1,297.81 CAD" in drawn


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2024, 1, 1, 7, 59, tzinfo=UTC), "2023-12-31 23:59 PST"),
        (datetime(2024, 7, 1, 7, 0, tzinfo=UTC), "2024-07-01 00:00 PDT"),
    ],
)
def test_moments_are_written_in_the_ledger_s_zone(at: datetime, text: str) -> None:
    assert written(at) == text


@pytest.mark.django_db(transaction=True)
def test_a_receipt_is_of_what_is_paid_and_names_what_still_stands_on_it() -> None:
    lines = (FilingLine("OTANN", quantity=2, priority=True, description="Annual report 2026"),)
    invoice = an_invoice(
        "PAD",
        lines=lines,
        business_identifier="BC0871234",
        folio_number="Folio 7",
        dat_number="D-9",
        filing_id="F-1",
        details=({"label": "Filed by", "value": "A. Clerk"},),
    )
    schedule(invoice.pk, invoice_number="REGT00004711", actor=STAFF, at=AT)
    settle(invoice.pk, evidence_of(invoice, "OLD"), actor=STAFF, at=AT)
    bounce(invoice.pk, reason="Funds not cleared", actor=STAFF, at=AT)
    with pytest.raises(ReceiptNotReady):
        facts_of(invoice)
    settle(invoice.pk, evidence_of(invoice, "NEW"), actor=STAFF, at=AT)

    facts = facts_of(invoice)

    heading = dict(facts.heading)
    assert heading["Invoice number"] == "REGT00004711"
    assert (heading["Business"], heading["Folio"], heading["DAT number"]) == ("BC0871234", "Folio 7", "D-9")
    assert (heading["Payment method"], heading["Paid"]) == ("Pre-authorised debit", written(AT))
    assert facts.details == (("Filed by", "A. Clerk"),)
    assert facts.lines == (ReceiptLine("Annual report 2026", 2, Decimal("160.00"), Decimal("8.00")),)
    assert [payment.number for payment in facts.payments] == ["NEW"]
    assert (facts.total, facts.paid, facts.service_gst) == (Decimal("169.58"), Decimal("169.58"), Decimal("0.08"))
    assert sum(line.fees + line.gst for line in facts.lines) + facts.service_fees + facts.service_gst == facts.total
    assert "169.58 CAD" in text_of(facts)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["PAD", "EFT", "DIRECT_PAY", "ONLINE_BANKING"])
def test_what_is_not_paid_has_no_receipt(method: str) -> None:
    invoice = an_invoice(method)
    with pytest.raises(ReceiptNotReady) as refusal:
        facts_of(invoice)
    assert refusal.value.context["ids"] == [invoice.pk]


@pytest.mark.django_db(transaction=True)
def test_what_was_given_back_or_charged_back_keeps_the_receipt_of_its_payment() -> None:
    refunded, charged = a_paid_invoice("PAD"), a_paid_invoice("DIRECT_PAY", number="R2")
    refund(refunded, a_part(refunded, "10"))
    charge_back(charged.pk, reason="The issuer says so", actor=STAFF, at=AT + timedelta(days=1))

    assert facts_of(refunded).given_back == Decimal("10.00")
    assert (stored(charged).status, facts_of(charged).paid) == ("CHARGEBACK", Decimal("33.08"))
