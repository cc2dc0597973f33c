"""The ground of every write: the locked invoice, its sums counted anew from its rows, and the move that they imply."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from invoices.events import announce_release, announce_status
from invoices.methods import Standing, find_method
from invoices.models import Invoice, InvoiceReference, Receipt, Refund
from invoices.states import InvoiceStatus, ReferenceStatus, RefundOutcome, RefundStatus
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import NotFound
from kernel.transactions import inside_unit_of_work

ZERO = Decimal("0.00")


class NoSuchInvoice(NotFound):
    """There is no invoice of this id, or not for this caller."""

    code = "invoice-not-found"
    title = "No such invoice"


@inside_unit_of_work
def lock_invoice(invoice_id: int) -> Invoice:
    """The invoice, locked until the unit of work ends: every write about it begins here. Raises NoSuchInvoice."""
    invoices = Invoice.objects.lock([invoice_id])
    if not invoices:
        raise NoSuchInvoice(f"There is no invoice {invoice_id}.")
    return invoices[0]


@inside_unit_of_work
def follow(
    invoice: Invoice,
    action: str,
    *,
    actor: Actor,
    at: datetime,
    reason: str = "",
    change: Mapping[str, Any] | None = None,
    source: Mapping[str, Any] | None = None,
    before: str = "",
) -> None:
    """Counts the sums anew, moves the invoice to what they and its evidence imply, saves, audits and announces.

    `before` is its status before the caller moved it; without it, the one that it has now. Raises IllegalInvoiceMove;
    then nothing of the unit of work may be kept.
    """
    before = before or invoice.status
    recount(invoice)
    invoice._follow_facts(at=at)
    if invoice.released_at is None and invoice.status == InvoiceStatus.PAID:
        release(invoice, at=at)
    invoice.save()
    record_entry(
        actor=actor,
        action=action,
        subject=invoice,
        before={"status": before},
        after={"status": invoice.status, **(change or {})},
        reason=reason,
        at=at,
        source=source,
    )
    if invoice.status != before:
        announce_status(invoice, before=before, at=at)


@inside_unit_of_work
def recount(invoice: Invoice) -> None:
    """The invoice's sums from its receipts and refunds. The caller saves."""
    paid = Receipt.objects.live().filter(invoice=invoice).aggregate(sum=Sum("amount"))
    invoice.paid_amount = paid["sum"] or ZERO
    done = Q(status=RefundStatus.PROCESSED)
    refunds = Refund.objects.filter(invoice=invoice).aggregate(
        refunded=Sum("amount", filter=done & Q(outcome=RefundOutcome.MONEY_BACK)),
        credited=Sum("amount", filter=done & Q(outcome=RefundOutcome.CREDIT)),
        manual=Sum("amount", filter=done & Q(outcome=RefundOutcome.MANUAL)),
        pending=Sum("amount", filter=Q(status=RefundStatus.PROCESSING)),
    )
    invoice.refunded_amount = refunds["refunded"] or ZERO
    invoice.credited_amount = refunds["credited"] or ZERO
    invoice.manual_amount = refunds["manual"] or ZERO
    invoice.pending_amount = refunds["pending"] or ZERO


@inside_unit_of_work
def release(invoice: Invoice, *, at: datetime) -> None:
    """Lets the goods go out, once. The caller saves."""
    if invoice.released_at is None:
        invoice.released_at = at
        announce_release(invoice, at=at)


def standing_of(invoice: Invoice, *, is_full: bool = True) -> Standing:
    """What the invoice's method looks at."""
    statuses = {reference.status for reference in invoice.references.all()}
    return Standing(
        status=InvoiceStatus(invoice.status),
        has_active_reference=ReferenceStatus.ACTIVE in statuses,
        has_completed_reference=ReferenceStatus.COMPLETED in statuses,
        is_billable=invoice.account.billable,
        is_full=is_full,
    )


def next_step_of(invoice: Invoice) -> str:
    """What happens next with the invoice, in a sentence."""
    return find_method(invoice.payment_method).next_step(standing_of(invoice))


@inside_unit_of_work
def turn_references(
    invoice: Invoice, target: ReferenceStatus, *, among: ReferenceStatus, at: datetime
) -> list[InvoiceReference]:
    """Moves the invoice's references of one status to another, and gives them."""
    found = list(invoice.references.filter(status=among).order_by("pk"))
    for reference in found:
        reference.status = target.value
        reference.status_since = at
        reference.save(update_fields=["status", "status_since"])
    return found
