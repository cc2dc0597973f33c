"""How invoices and what belongs to them are read on a page: words for codes, a sign beside each state, ages."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from invoices.methods import find_method
from invoices.methods.registry import UnknownMethod
from invoices.models import Credit, Invoice, InvoiceLine, Refund
from invoices.states import (
    AttemptStatus,
    CallKind,
    CallStatus,
    CreditKind,
    FeeType,
    InvoiceStatus,
    MethodCode,
    RefundOutcome,
    RefundStatus,
)
from kernel.adminsite import badge, money, record_link
from kernel.display import NOTHING

ZERO = Decimal("0.00")
CURRENCY = "CAD"
# The ledger's zone in the heads of columns, in few letters: "Vancouver".
ZONE = settings.LEDGER_ZONE.key.rpartition("/")[2].replace("_", " ")
LETTERS = frozenset({MethodCode.PAD.value, MethodCode.EJV.value, MethodCode.EFT.value})
STATUSES: dict[str, tuple[str, str]] = {
    InvoiceStatus.CREATED: ("Created", "waiting"),
    InvoiceStatus.APPROVED: ("Approved", "waiting"),
    InvoiceStatus.SETTLEMENT_SCHED: ("Settlement scheduled", "attention"),
    InvoiceStatus.PARTIAL_PAID: ("Partly paid", "attention"),
    InvoiceStatus.PAID: ("Paid", "good"),
    InvoiceStatus.OVERDUE: ("Overdue", "bad"),
    InvoiceStatus.REFUND_REQUESTED: ("Refund requested", "waiting"),
    InvoiceStatus.REFUNDED: ("Refunded", "plain"),
    InvoiceStatus.CREDITED: ("Credited", "plain"),
    InvoiceStatus.CANCELLED: ("Cancelled", "plain"),
    InvoiceStatus.MANUALLY_REFUNDED: ("Refunded outside", "plain"),
    InvoiceStatus.CHARGEBACK: ("Charged back", "bad"),
    InvoiceStatus.DELETE_ACCEPTED: ("Being deleted", "waiting"),
    InvoiceStatus.DELETED: ("Deleted", "plain"),
    InvoiceStatus.GL_UPDATED: ("Paid, GL changed", "attention"),
    InvoiceStatus.GL_UPDATED_REFUND: ("Refunded, GL changed", "attention"),
}
REFUND_STATUSES: dict[str, tuple[str, str]] = {
    RefundStatus.PENDING_APPROVAL: ("Waits for a second person", "attention"),
    RefundStatus.DECLINED: ("Declined", "plain"),
    RefundStatus.PROCESSING: ("On its way", "waiting"),
    RefundStatus.PROCESSED: ("Done", "good"),
    RefundStatus.REFUSED: ("Refused outside", "bad"),
}
OUTCOMES: dict[str, str] = {
    RefundOutcome.CANCEL: "Invoice stopped",
    RefundOutcome.CREDIT: "Credit on the account",
    RefundOutcome.MONEY_BACK: "Back the way it came",
    RefundOutcome.MANUAL: "Given back outside",
}
CREDIT_KINDS: dict[str, str] = {
    CreditKind.CREDIT_MEMO: "From a refund",
    CreditKind.ON_ACCOUNT: "Paid too much",
}
ATTEMPT_STATUSES: dict[str, tuple[str, str]] = {
    AttemptStatus.CREATED: ("Not known yet", "attention"),
    AttemptStatus.COMPLETED: ("Paid", "good"),
    AttemptStatus.FAILED: ("Declined", "bad"),
    AttemptStatus.CANCELLED: ("Given up", "plain"),
}
CALL_STATUSES: dict[str, tuple[str, str]] = {
    CallStatus.PENDING: ("To be sent", "waiting"),
    CallStatus.SENT: ("Sent, no answer yet", "waiting"),
    CallStatus.UNKNOWN: ("Outcome unknown", "attention"),
    CallStatus.SUCCEEDED: ("Done", "good"),
    CallStatus.REFUSED: ("Refused", "bad"),
}
CALL_KINDS: dict[str, str] = {
    CallKind.PREPAID_DEBIT: "Debit of a prepaid account",
    CallKind.CARD_REFUND: "Refund to a card",
}
FEE_TYPES: dict[str, str] = {
    FeeType.BASE_FEES: "Filing fee",
    FeeType.PRIORITY_FEES: "Priority fee",
    FeeType.FUTURE_EFFECTIVE_FEES: "Future effective fee",
    FeeType.SERVICE_FEES: "Service fee",
    FeeType.STATUTORY_GST: "GST on the filing",
    FeeType.SERVICE_GST: "GST on the service fee",
}

# Codes that no word of a sentence could be mistaken for; PAD, EJV and EFT are what finance says.
_CODES = re.compile(rf"\b(?:{'|'.join(sorted([*STATUSES, *(set(MethodCode) - LETTERS)], key=len, reverse=True))})\b")


def status_badge(invoice: Invoice) -> SafeString:
    """The invoice's status; of one that is paid, whether a part of it was given back."""
    words, kind = STATUSES[invoice.status]
    if invoice.status == InvoiceStatus.PAID and invoice.facts.undone:
        part = "credited" if invoice.credited_amount else "refunded"
        return badge(f"{words}, partly {part}", kind)
    return badge(words, kind)


def refund_badge(refund: Refund) -> SafeString:
    return badge(*REFUND_STATUSES[refund.status])


def method_title(code: str) -> str:
    """The method in words, or its code when its app is not there."""
    try:
        return find_method(code).title
    except UnknownMethod:
        return code


def method_short(code: str) -> SafeString | str:
    """What finance calls it: PAD, EJV and EFT by their letters, with the words beside the pointer."""
    if code not in LETTERS:
        return method_title(code)
    return format_html('<abbr title="{}">{}</abbr>', method_title(code), code)


def in_words(sentence: str) -> str:
    """A sentence of the operations, which name statuses and methods by their codes, as people read it."""
    return _CODES.sub(lambda code: _said(code[0]), sentence)


def _said(code: str) -> str:
    return f"“{STATUSES[code][0]}”" if code in STATUSES else method_title(code)


def short_moment(at: datetime) -> SafeString:
    """An instant to the minute in the ledger's zone, which the column's head names; in full beside the pointer."""
    local = at.astimezone(settings.LEDGER_ZONE)
    return format_html(
        '<time class="ps-moment" datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local:%Y-%m-%d %H:%M}",
    )


def short_money(amount: Decimal, currency: str) -> SafeString | str:
    """The amount; its currency only where it is not the one that the column's head names."""
    if currency != CURRENCY:
        return money(amount, currency)
    return format_html('<span class="ps-amount">{}</span>', f"{amount:,.2f}")


def said_next(step: str, *, waits: bool = False) -> str:
    """The sentence at the head of a page, from one that says what happens next or `Nothing: why`.

    With `waits`, what waits for somebody is listed below it.
    """
    why = step.removeprefix("Nothing: ")
    if why == step:
        return f"What happens next: {step}"
    return f"{why[:1].upper()}{why[1:]} This waits for somebody:" if waits else f"Nothing more happens: {why}"


def days_since(moment: datetime, *, at: datetime) -> str:
    """`today`, `1 day`, `12 days`: whole days of 24 hours."""
    days = (at - moment).days
    if days < 1:
        return "today"
    return "1\N{NO-BREAK SPACE}day" if days == 1 else f"{days:,}\N{NO-BREAK SPACE}days"


def what_is_charged(invoice: Any) -> str:
    """The first line and how many more there are; the lines are prefetched."""
    lines = sorted(invoice.lines.all(), key=lambda line: line.pk)
    if not lines:
        return NOTHING
    more = f" + {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"{lines[0].description}{more}"


def given_back_of(line: InvoiceLine) -> Decimal:
    """What live refunds hold of all parts of a line."""
    return sum((line.undone(fee_type) for fee_type in FeeType), ZERO)


def invoice_link(invoice_id: int | None) -> SafeString | str:
    return NOTHING if invoice_id is None else record_link(Invoice, invoice_id, f"Invoice {invoice_id}")


def refund_link(refund_id: int) -> SafeString | str:
    return record_link(Refund, refund_id, f"Refund {refund_id}")


def credit_link(credit_id: int) -> SafeString | str:
    return record_link(Credit, credit_id, f"Credit {credit_id}")
