"""What is answered about invoices and what belongs to them: plain data, amounts as Decimal, moments as datetime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest

from invoices.api.actions import allowed_actions, has_receipt
from invoices.api.addresses import account_path, invoice_path, refund_path
from invoices.methods import find_method
from invoices.models import (
    CardAttempt,
    Credit,
    Invoice,
    InvoiceLine,
    InvoiceReference,
    Receipt,
    Refund,
    RefundLine,
)
from invoices.operations.cards import may_pay_by_card
from invoices.operations.standing import next_step_of
from invoices.paylinks import pay_address
from invoices.querysets import InvoiceQuerySet
from invoices.states import FeeType, InvoiceStatus
from kernel.audit.actors import ActorKind

Answer = dict[str, Any]

# What partners are shown in the place of states that are ours alone.
SHOWN_AS = {
    InvoiceStatus.PAID: "COMPLETED",
    InvoiceStatus.GL_UPDATED: "COMPLETED",
    InvoiceStatus.GL_UPDATED_REFUND: "REFUNDED",
    InvoiceStatus.DELETE_ACCEPTED: "DELETED",
}
PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
PARTIALLY_CREDITED = "PARTIALLY_CREDITED"


def for_list(invoices: InvoiceQuerySet) -> InvoiceQuerySet:
    """With what a list shows of each: three queries, whatever the number of rows."""
    return invoices.select_related("account", "product").prefetch_related(
        Prefetch("lines", queryset=InvoiceLine.objects.order_by("pk")),
        Prefetch("references", queryset=InvoiceReference.objects.order_by("pk")),
    )


def for_one(invoices: InvoiceQuerySet) -> InvoiceQuerySet:
    """With everything that belongs to it: six queries."""
    return for_list(invoices).prefetch_related(
        Prefetch("receipts", queryset=Receipt.objects.select_related("reversed_by").order_by("pk")),
        Prefetch("refunds", queryset=Refund.objects.order_by("pk")),
        Prefetch("refunds__lines", queryset=RefundLine.objects.order_by("pk")),
    )


def status_display(invoice: Invoice) -> str:
    """The status in the words of partners (domain.md 2.1)."""
    status = InvoiceStatus(invoice.status)
    if status in (InvoiceStatus.PAID, InvoiceStatus.GL_UPDATED):
        if invoice.refunded_amount + invoice.manual_amount:
            return PARTIALLY_REFUNDED
        if invoice.credited_amount:
            return PARTIALLY_CREDITED
    return SHOWN_AS.get(status, status.value)


def invoice_answer(invoice: Invoice, request: HttpRequest, *, at: datetime) -> Answer:
    """One invoice, whole; read it with `for_one`."""
    answer = summary_answer(invoice)
    path = invoice_path(invoice.pk)
    answer |= {
        "receipts": [receipt_answer(receipt) for receipt in invoice.receipts.all()],
        "refunds": [refund_answer(refund, list(refund.lines.all())) for refund in invoice.refunds.all()],
        "allowedActions": allowed_actions(invoice),
        "links": {
            "self": path,
            "account": account_path(invoice.account.account_number),
            "receipts": f"{path}/receipts",
            "receiptPdf": f"{path}/receipt.pdf" if has_receipt(invoice) else None,
            "transactions": f"{path}/transactions",
            "refunds": f"{path}/refunds",
            "pay": pay_address(request, invoice.pk, at=at) if may_pay_by_card(invoice) else None,
        },
    }
    return answer


def summary_answer(invoice: Invoice) -> Answer:
    """One invoice as lists have it; read it with `for_list`."""
    references = list(invoice.references.all())
    return {
        "id": invoice.pk,
        "invoiceNumber": _number(references),
        "businessKey": invoice.business_key,
        "status": invoice.status,
        "statusDisplay": status_display(invoice),
        "statusSince": invoice.status_since,
        "nextStep": next_step_of(invoice),
        "accountNumber": invoice.account.account_number,
        "accountName": invoice.account.name,
        "product": invoice.product_id,
        "paymentMethod": invoice.payment_method,
        "paymentMethodTitle": find_method(invoice.payment_method).title,
        "businessIdentifier": invoice.business_identifier,
        "filingIdentifier": invoice.filing_id,
        "folioNumber": invoice.folio_number,
        "datNumber": invoice.dat_number,
        "bcolAccountNumber": invoice.prepaid_account,
        "routingSlip": invoice.routing_slip,
        "details": invoice.details,
        "currency": invoice.currency,
        "money": money_answer(invoice),
        "serviceFees": invoice.service_fees,
        "gst": invoice.gst,
        "createdAt": invoice.created_at,
        "createdBy": invoice.created_by,
        "releasedAt": invoice.released_at,
        "paymentDate": invoice.payment_date,
        "refundDate": invoice.refund_date,
        "overdueDate": invoice.overdue_date,
        "lines": [line_answer(line) for line in invoice.lines.all()],
        "references": [reference_answer(reference) for reference in references],
    }


def money_answer(invoice: Invoice) -> Answer:
    return {
        "total": invoice.total,
        "paid": invoice.paid_amount,
        "refunded": invoice.refunded_amount,
        "credited": invoice.credited_amount,
        "manual": invoice.manual_amount,
        "pending": invoice.pending_amount,
        "owing": invoice.owing,
    }


def line_answer(line: InvoiceLine) -> Answer:
    return {
        "id": line.pk,
        "filingTypeCode": line.filing_type_id,
        "description": line.description,
        "status": line.status,
        "quantity": line.quantity,
        "filingFees": line.base_fees,
        "priorityFees": line.priority_fees,
        "futureEffectiveFees": line.future_effective_fees,
        "total": line.total,
        "serviceFees": line.service_fees,
        "statutoryFeesGst": line.statutory_gst,
        "serviceFeesGst": line.service_gst,
        "pst": line.pst,
        "waivedFees": line.waived_fees,
        "waivedBy": line.waived_by,
        "gl": {
            "fees": line.fee_gl,
            "serviceFees": line.service_fee_gl,
            "statutoryFeesGst": line.statutory_gst_gl,
            "serviceFeesGst": line.service_gst_gl,
        },
        "refundable": {fee_type.value: line.refundable(fee_type) for fee_type in FeeType},
    }


def reference_answer(reference: InvoiceReference) -> Answer:
    return {
        "invoiceNumber": reference.invoice_number,
        "referenceNumber": reference.reference_number,
        "status": reference.status,
        "isConsolidated": reference.is_consolidated,
        "createdAt": reference.created_at,
    }


def receipt_answer(receipt: Receipt) -> Answer:
    """Read it with `reversed_by`."""
    return {
        "id": receipt.pk,
        "receiptNumber": receipt.receipt_number,
        "amount": receipt.amount,
        "currency": receipt.currency,
        "receiptDate": receipt.receipt_date,
        "source": receipt.source,
        "reverses": receipt.reverses_id,
        "isReversed": getattr(receipt, "reversed_by", None) is not None,
        "createdAt": receipt.created_at,
    }


def refund_answer(refund: Refund, lines: list[RefundLine]) -> Answer:
    return {
        "id": refund.pk,
        "invoiceId": refund.invoice_id,
        "status": refund.status,
        "statusSince": refund.status_since,
        "outcome": refund.outcome,
        "isFull": refund.is_full,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason,
        # What colleagues of finance wrote to each other stays among them.
        "staffComment": refund.staff_comment if refund.requested_by_kind == ActorKind.API_CLIENT else "",
        "notificationEmail": refund.notification_email,
        "requestedBy": refund.requested_by,
        "requestedAt": refund.requested_at,
        "needsApproval": refund.needs_approval,
        "decidedBy": refund.decided_by,
        "decidedAt": refund.decided_at,
        "declineReason": refund.decline_reason,
        "evidence": refund.evidence,
        "finishedAt": refund.finished_at,
        "error": refund.gl_error,
        "refundRevenue": [
            {"paymentLineItemId": line.line_id, "refundType": line.fee_type, "refundAmount": line.amount}
            for line in lines
        ],
        "links": {"self": refund_path(refund.pk), "invoice": invoice_path(refund.invoice_id)},
    }


def attempt_answer(attempt: CardAttempt) -> Answer:
    return {
        "id": str(attempt.pk),
        "invoiceId": attempt.invoice_id,
        "status": attempt.status,
        "statusSince": attempt.status_since,
        "amount": attempt.amount,
        "payUrl": attempt.pay_url,
        "clientSystemUrl": attempt.client_url,
        "reasonCode": attempt.reason_code,
        "startedAt": attempt.started_at,
        "endedAt": attempt.ended_at,
        "links": {
            "self": f"{invoice_path(attempt.invoice_id)}/transactions/{attempt.pk}",
            "invoice": invoice_path(attempt.invoice_id),
        },
    }


def credit_answer(credit: Credit) -> Answer:
    return {
        "id": credit.pk,
        "kind": credit.kind,
        "paymentMethod": credit.payment_method,
        "amount": credit.amount,
        "remaining": credit.remaining,
        "currency": credit.currency,
        "ledgerIdentifier": credit.ledger_identifier,
        "invoiceId": credit.source_invoice_id,
        "details": credit.details,
        "createdAt": credit.created_at,
    }


def _number(references: list[InvoiceReference]) -> str | None:
    """The number under which the outside knows the invoice now: its last one that counts."""
    counting = [reference.invoice_number for reference in references if reference.status != "CANCELLED"]
    return counting[-1] if counting else None
