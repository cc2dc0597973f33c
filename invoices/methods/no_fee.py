"""Nothing is to be paid: the invoice is settled with its making, by a receipt of zero."""

from __future__ import annotations

from invoices.methods.protocol import Collection, PaymentMethod, Standing, moves, sentences
from invoices.states import InvoiceStatus, MethodCode, RefundOutcome, Trigger

S = InvoiceStatus


def undo(standing: Standing) -> RefundOutcome:
    """Never asked: there is nothing to give back."""
    return RefundOutcome.MANUAL


NO_FEE = PaymentMethod(
    code=MethodCode.NO_FEE,
    title="No fee",
    first_status=S.CREATED,
    collection=Collection.AT_ONCE,
    releases_at_creation=True,
    moves=moves(Trigger.PAID, (S.CREATED, S.PAID)),
    full_refund_from=frozenset(),
    partial_refund_from=frozenset(),
    undo=undo,
    next_step=sentences(CREATED="Nothing: it is settled with its making."),
    numbers_itself=True,
    pays_partners=False,
)
