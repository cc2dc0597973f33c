"""What the invoices app tells others (domain.md 10): goods may go out, money went back, an invoice moved on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from invoices.models import Invoice, Refund
from kernel.outbox.operations import Event, announce
from kernel.transactions import inside_unit_of_work

TOPIC = "invoices"
SOURCE = "paymentsite/invoices"


@inside_unit_of_work
def announce_release(invoice: Invoice, *, at: datetime) -> None:
    """The goods of the invoice may go out."""
    body = _body(invoice) | {"statusCode": "COMPLETED", "productReleaseDate": at}
    _announce("invoice.released", invoice, body, at=at)


@inside_unit_of_work
def announce_reversal(invoice: Invoice, *, amount: Decimal, refund_id: int | None = None, at: datetime) -> None:
    """`amount` of the invoice was undone: all of it (the goods come back) or a part."""
    whole = invoice.cancelled_at is not None or invoice.facts.undone >= invoice.total
    body = _body(invoice) | {
        "statusCode": "REVERSED" if whole else "PARTIALLY_REVERSED",
        "productReversalDate": at,
        "refundId": refund_id,
        "refundAmount": str(amount),
    }
    _announce("invoice.reversed" if whole else "invoice.partially-reversed", invoice, body, at=at)


@inside_unit_of_work
def announce_failure(invoice: Invoice, *, reason: str, at: datetime) -> None:
    """A try to pay it has failed: the card was declined, or the prepaid account refused. Another try may follow."""
    body = _body(invoice) | {"statusCode": "TRANSACTION_FAILED", "reason": reason, "failedAt": at}
    _announce("invoice.payment-failed", invoice, body, at=at)


@inside_unit_of_work
def announce_status(invoice: Invoice, *, before: str, at: datetime) -> None:
    """The invoice has another status."""
    body = _body(invoice) | {"status": invoice.status, "statusBefore": before, "since": invoice.status_since}
    _announce("invoice.status-changed", invoice, body, at=at)


@inside_unit_of_work
def announce_drawdown_refund(invoice: Invoice, refund: Refund, *, at: datetime) -> None:
    """The help desk of the prepaid accounts must reverse a debit; the mailer writes to it."""
    body = _body(invoice) | {
        "refundId": refund.pk,
        "refundAmount": str(refund.amount),
        "prepaidAccount": invoice.prepaid_account,
        "refundDate": at,
        "reason": refund.reason,
    }
    _announce("refund.drawdown-requested", invoice, body, at=at)


def _body(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.pk,
        "accountNumber": invoice.account.account_number,
        "corpTypeCode": invoice.product_id,
        "filingIdentifier": invoice.filing_id,
        "businessIdentifier": invoice.business_identifier,
        "paymentMethod": invoice.payment_method,
        "total": str(invoice.total),
        "currency": invoice.currency,
    }


def _announce(event_type: str, invoice: Invoice, body: dict[str, Any], *, at: datetime) -> None:
    announce(
        Event(
            event_type=event_type,
            source=SOURCE,
            subject=f"invoices/{invoice.pk}",
            topic=TOPIC,
            key=invoice.account.account_number,
            body=body,
        ),
        at=at,
    )
