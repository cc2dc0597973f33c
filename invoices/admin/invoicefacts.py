"""What the page of an invoice shows: who, what, money and dates, its lines, and all that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import PaymentAccount
from catalogue.models import Product
from invoices.admin.display import (
    ATTEMPT_STATUSES,
    CALL_KINDS,
    CALL_STATUSES,
    FEE_TYPES,
    OUTCOMES,
    ZERO,
    ZONE,
    credit_link,
    days_since,
    method_title,
    refund_badge,
    refund_link,
    short_moment,
    short_money,
    status_badge,
)
from invoices.models import CardAttempt, Credit, CreditApplication, Invoice, OutsideCall, Receipt, Refund
from invoices.states import FeeType, ReceiptSource, ReferenceStatus, RefundStatus
from kernel.adminsite import Facts, MoneyBox, MoneyLine, badge, moment, money, record_link, table
from kernel.approvals.models import ApprovalRequest
from payments.models import Payment

REFERENCE_STATUSES = {
    ReferenceStatus.ACTIVE: ("Waits for money", "waiting"),
    ReferenceStatus.COMPLETED: ("Paid", "good"),
    ReferenceStatus.CANCELLED: ("Reversed", "plain"),
}
SOURCES: dict[str, str] = {
    ReceiptSource.CARD: "Card gateway",
    ReceiptSource.PREPAID: "Prepaid account",
    ReceiptSource.INTERNAL: "Ourselves",
    ReceiptSource.CREDIT: "Credit of the account",
    ReceiptSource.SETTLEMENT: "Settlement file",
    ReceiptSource.FEEDBACK: "Voucher feedback",
    ReceiptSource.DEPOSIT: "Bank deposit",
    ReceiptSource.SLIP: "Routing slip",
}
GIVEN_BACK = SafeString('<p class="ps-note">Amounts in CAD. * Or held by a refund that is not done yet.</p>')
# Moments that are shown only when they have come.
MOMENTS = (
    ("released_at", "Goods released"),
    ("scheduled_at", "Scheduled in the ledger"),
    ("payment_date", "Paid (payment date)"),
    ("overdue_at", "Marked overdue"),
    ("bounced_at", "Debit returned by the bank"),
    ("refund_date", "Given back (refund date)"),
    ("charged_back_at", "Charged back"),
    ("gl_changed_at", "GL codes changed"),
    ("cancelled_at", "Cancelled"),
    ("abandoned_at", "Given up"),
    ("deleted_at", "Deleted"),
)


def facts_of(invoice: Invoice, *, at: datetime) -> list[Facts]:
    """Who, what, and when; what is empty is left out where many invoices have none."""
    return [
        Facts("Who", _who(invoice)),
        Facts("What", _what(invoice)),
        Facts(
            "When",
            [
                ("Created", format_html("{} ({})", moment(invoice.created_at), days_since(invoice.created_at, at=at))),
                *((words, moment(getattr(invoice, name))) for name, words in MOMENTS if getattr(invoice, name)),
                ("Due", moment(invoice.overdue_date)),
                ("In this status since", moment(invoice.status_since)),
            ],
        ),
    ]


def _who(invoice: Invoice) -> list[tuple[str, Any]]:
    account = invoice.account
    return [
        ("Account", record_link(PaymentAccount, account.pk, account.account_number)),
        ("Name", f"{account.name}, {account.branch_name}" if account.branch_name else account.name),
        ("Created by", invoice.created_by),
        *_present(("Key of the creator", invoice.business_key), ("Prepaid account", invoice.prepaid_account)),
    ]


def _what(invoice: Invoice) -> list[tuple[str, Any]]:
    product = record_link(Product, invoice.product_id, f"{invoice.product_id} {invoice.product.description}")
    return [
        ("Status", status_badge(invoice)),
        ("Method", method_title(invoice.payment_method)),
        ("Product", product),
        *_present(
            ("Business identifier", invoice.business_identifier),
            ("Filing", invoice.filing_id),
            ("Folio", invoice.folio_number),
            ("DAT number", invoice.dat_number),
            ("Routing slip", invoice.routing_slip),
        ),
        *((str(detail.get("label", "")), str(detail.get("value", ""))) for detail in invoice.details),
    ]


def _present(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in pairs if value]


def money_box_of(invoice: Invoice) -> MoneyBox:
    """Total = paid + no longer owed + owing; and of what was paid, where it went: the lines add up as they stand."""
    dropped = invoice.total - invoice.paid_amount - invoice.owing
    lines = [MoneyLine("Total", invoice.total), MoneyLine("Paid", invoice.paid_amount)]
    if dropped > ZERO:
        lines.append(MoneyLine("No longer owed", dropped))
    lines.append(MoneyLine("Owing", invoice.owing, is_sum=True))
    back = [
        MoneyLine("Refunded", invoice.refunded_amount),
        MoneyLine("Credited", invoice.credited_amount),
        MoneyLine("Given back outside", invoice.manual_amount),
        MoneyLine("Being given back", invoice.pending_amount),
    ]
    lines += back
    undone = sum((line.amount or ZERO for line in back), ZERO)
    if invoice.paid_amount >= undone and invoice.paid_amount:
        lines.append(MoneyLine("Kept of what was paid", invoice.paid_amount - undone, is_sum=True))
    taxes = f"Of the total {invoice.service_fees} are service fees and {invoice.gst} GST."
    return MoneyBox(lines, invoice.currency, note=taxes)


def lines_table(invoice: Invoice) -> SafeString:
    """Every part of every line that costs something: where it is booked, what was given back, what is left."""
    rows: list[tuple[Any, ...]] = []
    for line in sorted(invoice.lines.all(), key=lambda line: line.pk):
        name = f"{line.filing_type_id} {line.description}" + (f" × {line.quantity}" if line.quantity > 1 else "")
        if line.status == "CANCELLED":
            name += " (cancelled)"
        if line.waived_fees:
            name += f" ({line.waived_fees} waived by {line.waived_by})"
        codes = _codes(line)
        parts = [fee_type for fee_type in FeeType if line.fee(fee_type)]
        if not parts:
            rows.append((name, "Nothing is charged", "", "", ""))
        for place, part in enumerate(parts):
            amounts = (line.fee(part), line.undone(part), line.refundable(part))
            shown = tuple(short_money(amount, invoice.currency) for amount in amounts)
            booked = format_html('{}<br><code class="ps-hash">{}</code>', FEE_TYPES[part], codes[part])
            rows.append((name if place == 0 else "", booked, *shown))
    heads = ("Filing", "Part and GL code", "Charged", "Given back *", "Left")
    return table(heads, rows, figures=(2, 3, 4)) + GIVEN_BACK


def _codes(line: Any) -> dict[FeeType, str]:
    return {
        FeeType.BASE_FEES: line.fee_gl,
        FeeType.PRIORITY_FEES: line.fee_gl,
        FeeType.FUTURE_EFFECTIVE_FEES: line.fee_gl,
        FeeType.SERVICE_FEES: line.service_fee_gl,
        FeeType.STATUTORY_GST: line.statutory_gst_gl,
        FeeType.SERVICE_GST: line.service_gst_gl,
    }


def receipts_table(invoice: Invoice, applications: Sequence[CreditApplication]) -> SafeString:
    """Money that came, and what was taken off again, with links to the payment or the credit that brought it."""
    credits = {application.receipt_id: application.credit_id for application in applications}
    reversed_ones = {receipt.reverses_id for receipt in invoice.receipts.all()}
    return table(
        ("Receipt", "Amount", "Received", "Comes from", "State"),
        [
            (
                receipt.receipt_number,
                money(-receipt.amount if receipt.reverses_id else receipt.amount, receipt.currency),
                moment(receipt.receipt_date),
                _origin_of(receipt, credits.get(receipt.pk)),
                _state_of(receipt, reversed_ones),
            )
            for receipt in sorted(invoice.receipts.all(), key=lambda receipt: receipt.pk)
        ],
        empty="No money has come for it yet. Each receipt appears here with what proves it.",
        figures=(1,),
    )


def _origin_of(receipt: Receipt, credit_id: int | None) -> SafeString | str:
    words = SOURCES[receipt.source]
    if credit_id is not None:
        return credit_link(credit_id)
    return words if receipt.payment_id is None else record_link(Payment, receipt.payment_id, words)


def _state_of(receipt: Receipt, reversed_ones: set[int | None]) -> SafeString:
    if receipt.reverses_id:
        return badge("Takes a receipt back", "plain")
    return badge("Taken back", "plain") if receipt.pk in reversed_ones else badge("Counts", "good")


def references_table(invoice: Invoice) -> SafeString | str:
    references = sorted(invoice.references.all(), key=lambda reference: -reference.pk)
    if not references:
        return ""
    return table(
        ("Number", "At the gateway", "Status", "Since"),
        [
            (
                f"{reference.invoice_number}{' (several invoices as one)' if reference.is_consolidated else ''}",
                reference.reference_number or "–",
                badge(*REFERENCE_STATUSES[ReferenceStatus(reference.status)]),
                moment(reference.status_since),
            )
            for reference in references
        ],
    )


def refunds_table(refunds: Sequence[Refund]) -> SafeString:
    return table(
        ("Refund", "Amount", "What happens with it", "Status", "Asked by, and why"),
        [
            (
                refund_link(refund.pk),
                money(refund.amount, refund.currency),
                OUTCOMES[refund.outcome],
                format_html("{} {}", refund_badge(refund), approval_link(refund)),
                format_html("{} {}<br>{}", refund.requested_by, moment(refund.requested_at), refund.reason),
            )
            for refund in refunds
        ],
        figures=(1,),
        empty="Nothing was given back.",
    )


def approval_link(refund: Refund) -> SafeString | str:
    """To the request that somebody decides about, or decided."""
    if refund.approval_id is None:
        return ""
    text = "Decide" if refund.status == RefundStatus.PENDING_APPROVAL else "Decision"
    return record_link(ApprovalRequest, refund.approval_id, text)


def credits_table(credits: Sequence[Credit]) -> SafeString | str:
    """What became a credit of the account: from its refunds, or because too much came."""
    return table(
        ("Credit", "Amount", "Left", "Why"),
        [
            (
                credit_link(credit.pk),
                money(credit.amount, credit.currency),
                money(credit.remaining, credit.currency),
                credit.details,
            )
            for credit in credits
        ],
        figures=(1, 2),
    )


def attempts_table(attempts: Sequence[CardAttempt], currency: str) -> SafeString:
    return table(
        ("Card payment", "Amount", "Status", f"Started ({ZONE})", "Last asked"),
        [
            (
                record_link(CardAttempt, attempt.pk, str(attempt)),
                money(attempt.amount, currency),
                badge(*ATTEMPT_STATUSES[attempt.status]),
                short_moment(attempt.started_at),
                short_moment(attempt.checked_at) if attempt.checked_at else "Not yet",
            )
            for attempt in attempts
        ],
        figures=(1,),
    )


def calls_table(calls: Sequence[OutsideCall]) -> SafeString:
    return table(
        ("Call", "Status", "Tries", "Next try", "What was said"),
        [
            (
                record_link(OutsideCall, call.pk, CALL_KINDS[call.kind]),
                badge(*CALL_STATUSES[call.status]),
                call.attempts,
                moment(call.next_attempt_at) if call.status in ("PENDING", "SENT", "UNKNOWN") else "–",
                call.error_detail or call.error_code or "–",
            )
            for call in calls
        ],
    )
