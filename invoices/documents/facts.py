"""What a receipt says, read from a paid invoice: texts and amounts, ready to be set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from invoices.methods import find_method
from invoices.models import Invoice, InvoiceLine, Receipt
from kernel.calendar import ledger_zone
from kernel.errors import Conflict

ZERO = Decimal("0.00")


class ReceiptNotReady(Conflict):
    """The invoice is not paid, so that there is no receipt yet."""

    code = "receipt-not-ready"
    title = "No receipt yet"
    next_step = "Read the invoice: nextStep says what is awaited. The receipt is there once paymentDate is."


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of the invoice. `fees` is filing, priority and future-effective fees together."""

    description: str
    quantity: int
    fees: Decimal
    gst: Decimal


@dataclass(frozen=True, slots=True)
class Payment:
    """One receipt: its number, when and how much."""

    number: str
    date: str
    source: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts:
    """All that stands on the receipt; the same facts give the same file, byte for byte."""

    title: str
    heading: tuple[tuple[str, str], ...]
    details: tuple[tuple[str, str], ...]
    lines: tuple[ReceiptLine, ...]
    payments: tuple[Payment, ...]
    service_fees: Decimal
    service_gst: Decimal
    gst: Decimal
    total: Decimal
    paid: Decimal
    given_back: Decimal
    currency: str


def receipt_facts(invoice: Invoice) -> ReceiptFacts:
    """Of an invoice with its account, product, lines, references and receipts (with `reversed_by`).

    Raises ReceiptNotReady (409) when it is not paid.
    """
    if invoice.payment_date is None:
        message = f"{invoice} is {invoice.status} and not paid."
        raise ReceiptNotReady(message, ids=[invoice.pk], invoice_status=invoice.status)
    lines = list(invoice.lines.all())
    return ReceiptFacts(
        title=invoice.product.description,
        heading=_heading(invoice),
        details=tuple((str(detail.get("label", "")), str(detail.get("value", ""))) for detail in invoice.details),
        lines=tuple(_line(line) for line in lines),
        payments=tuple(_payment(receipt) for receipt in invoice.receipts.all() if _counts(receipt)),
        service_fees=invoice.service_fees,
        service_gst=sum((line.service_gst for line in lines), ZERO),
        gst=invoice.gst,
        total=invoice.total,
        paid=invoice.paid_amount,
        given_back=invoice.refunded_amount + invoice.credited_amount + invoice.manual_amount,
        currency=invoice.currency,
    )


def written(at: datetime) -> str:
    """An instant in the ledger's zone, with the zone: 2026-11-24 10:00 PST."""
    return f"{at.astimezone(ledger_zone()):%Y-%m-%d %H:%M %Z}"


def _heading(invoice: Invoice) -> tuple[tuple[str, str], ...]:
    paid_on = "" if invoice.payment_date is None else written(invoice.payment_date)
    numbers = [reference.invoice_number for reference in invoice.references.all() if reference.status != "CANCELLED"]
    named = (
        ("Invoice", str(invoice.pk)),
        ("Invoice number", numbers[-1] if numbers else ""),
        ("Account", f"{invoice.account.account_number} {invoice.account.name}"),
        ("Business", invoice.business_identifier),
        ("Filing", invoice.filing_id),
        ("Folio", invoice.folio_number),
        ("DAT number", invoice.dat_number),
        ("Payment method", find_method(invoice.payment_method).title),
        ("Created", written(invoice.created_at)),
        ("Paid", paid_on),
    )
    return tuple((label, value) for label, value in named if value)


def _line(line: InvoiceLine) -> ReceiptLine:
    return ReceiptLine(line.description, line.quantity, line.total, line.statutory_gst)


def _payment(receipt: Receipt) -> Payment:
    return Payment(receipt.receipt_number, written(receipt.receipt_date), receipt.source, receipt.amount)


def _counts(receipt: Receipt) -> bool:
    return receipt.reverses_id is None and getattr(receipt, "reversed_by", None) is None
