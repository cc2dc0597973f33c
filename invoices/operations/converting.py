"""An unpaid online-banking invoice that its payer would rather pay by card (domain.md 2.2)."""

from __future__ import annotations

from datetime import datetime

from invoices.models import Invoice, InvoiceReference
from invoices.numbers import invoice_number_of
from invoices.operations.standing import follow, lock_invoice
from invoices.states import InvoiceStatus, MethodCode, ReferenceStatus
from kernel.audit.actors import Actor
from kernel.errors import Conflict
from kernel.transactions import inside_unit_of_work, unit_of_work

CARDS = frozenset({MethodCode.CC.value, MethodCode.DIRECT_PAY.value})


class CannotConvert(Conflict):
    """The method of this invoice cannot be changed so."""

    code = "method-cannot-be-changed"
    title = "Method cannot be changed"
    next_step = "Only an online-banking invoice on which nothing is paid can be changed, to a card."


@unit_of_work
def convert(invoice_id: int, target: str, *, actor: Actor, reason: str = "", at: datetime) -> Invoice:
    """As one unit of work; see `convert_to_card`."""
    return convert_to_card(lock_invoice(invoice_id), target, actor=actor, reason=reason, at=at)


@inside_unit_of_work
def convert_to_card(invoice: Invoice, target: str, *, actor: Actor, reason: str = "", at: datetime) -> Invoice:
    """Makes the locked invoice one that is paid by card: CC where the external ledger has it already, else DIRECT_PAY.

    `target` is CC or DIRECT_PAY; which of them it becomes, the ledger decides. Converting what was converted changes
    nothing. Raises CannotConvert.
    """
    if target not in CARDS:
        raise CannotConvert(f"{invoice} can be changed to a card, not to {target[:20]}.", ids=[invoice.pk])
    if invoice.payment_method in CARDS and invoice.status == InvoiceStatus.CREATED:
        return invoice
    convertible = (InvoiceStatus.CREATED, InvoiceStatus.SETTLEMENT_SCHED)
    if invoice.payment_method != MethodCode.ONLINE_BANKING or invoice.status not in convertible:
        raise CannotConvert(f"{invoice} ({invoice.payment_method}) is {invoice.status}.", ids=[invoice.pk])
    in_ledger = invoice.references.active().exists()
    method = MethodCode.CC if in_ledger else MethodCode.DIRECT_PAY
    if method.value not in invoice.product.payment_methods and not in_ledger:
        raise CannotConvert(f"{invoice.product_id} is not paid by {method}.", ids=[invoice.pk])
    status_before, method_before = invoice.status, invoice.payment_method
    # By the old method's table, before it has the new one's.
    invoice._move_to(InvoiceStatus.CREATED, at=at)
    invoice.payment_method, invoice.scheduled_at = method.value, None
    if not in_ledger:
        InvoiceReference.objects.create(
            invoice=invoice,
            invoice_number=invoice_number_of(invoice.pk),
            status=ReferenceStatus.ACTIVE,
            created_at=at,
            status_since=at,
        )
    change = {"payment_method": method.value, "payment_method_before": method_before}
    follow(invoice, "invoice.method-changed", actor=actor, at=at, reason=reason, change=change, before=status_before)
    return invoice
