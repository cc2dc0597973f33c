"""Invoices that are stopped before any money was taken."""

from __future__ import annotations

from datetime import datetime

from invoices.events import announce_reversal
from invoices.methods import find_method
from invoices.models import Invoice
from invoices.operations.standing import follow, lock_invoice, standing_of, turn_references
from invoices.states import AttemptStatus, InvoiceStatus, LineStatus, ReferenceStatus
from kernel.audit.actors import Actor
from kernel.errors import Conflict
from kernel.transactions import inside_unit_of_work, unit_of_work


class CannotCancel(Conflict):
    """The invoice cannot be cancelled now."""

    code = "invoice-cannot-be-cancelled"
    title = "Cannot be cancelled"
    next_step = "Ask for a refund instead, if money was taken or is on its way; allowedActions says what can be done."


@unit_of_work
def cancel(invoice_id: int, *, actor: Actor, reason: str, at: datetime) -> Invoice:
    """As one unit of work; see `cancel_invoice`."""
    return cancel_invoice(lock_invoice(invoice_id), actor=actor, reason=reason, at=at)


@inside_unit_of_work
def cancel_invoice(invoice: Invoice, *, actor: Actor, reason: str, at: datetime) -> Invoice:
    """Stops the locked invoice: CANCELLED; of one that the payer had to act on, DELETED, or DELETE_ACCEPTED while a
    card payment may be under way.

    Cancelling what is cancelled changes nothing. Raises CannotCancel when money was taken, a file or the ledger names
    it, or its goods are out and its product wants two people for taking them back.
    """
    if invoice.cancelled_at or invoice.deleted_at or invoice.abandoned_at:
        return invoice
    method = find_method(invoice.payment_method)
    if invoice.paid_amount or not method.may_cancel(standing_of(invoice)):
        raise CannotCancel(f"{invoice} ({invoice.payment_method}) is {invoice.status}.", ids=[invoice.pk])
    if invoice.released_at is not None and invoice.product.refund_approval:
        raise CannotCancel(
            f"The goods of {invoice} are out, and taking them back needs two people: ask for a refund.",
            ids=[invoice.pk],
        )
    if InvoiceStatus.CANCELLED in method.targets(InvoiceStatus(invoice.status)):
        stop(invoice, actor=actor, reason=reason, at=at)
    else:
        _abandon(invoice, actor=actor, reason=reason, at=at)
    return invoice


@inside_unit_of_work
def stop(invoice: Invoice, *, actor: Actor, reason: str, at: datetime) -> None:
    """Marks the locked invoice as cancelled, its lines and its own numbers too."""
    invoice.cancelled_at = at
    invoice.lines.update(status=LineStatus.CANCELLED)
    turn_references(invoice, ReferenceStatus.CANCELLED, among=ReferenceStatus.ACTIVE, at=at)
    follow(invoice, "invoice.cancelled", actor=actor, at=at, reason=reason)
    if invoice.released_at is not None:
        announce_reversal(invoice, amount=invoice.total, at=at)


@inside_unit_of_work
def delete_when_free(invoice: Invoice, *, actor: Actor, at: datetime) -> None:
    """Deletes what was given up, once no card payment is open any more; changes nothing before."""
    if invoice.status == InvoiceStatus.DELETE_ACCEPTED and not invoice.card_attempts.open().exists():
        _delete(invoice, actor=actor, reason="", at=at)


def _abandon(invoice: Invoice, *, actor: Actor, reason: str, at: datetime) -> None:
    if invoice.card_attempts.filter(status=AttemptStatus.CREATED).exists():
        invoice.abandoned_at = at
        follow(invoice, "invoice.abandoned", actor=actor, at=at, reason=reason)
    else:
        _delete(invoice, actor=actor, reason=reason, at=at)


def _delete(invoice: Invoice, *, actor: Actor, reason: str, at: datetime) -> None:
    invoice.deleted_at = at
    turn_references(invoice, ReferenceStatus.CANCELLED, among=ReferenceStatus.ACTIVE, at=at)
    follow(invoice, "invoice.deleted", actor=actor, at=at, reason=reason)
