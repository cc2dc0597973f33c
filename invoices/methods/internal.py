"""Staff, without a routing slip: the money is there already, so the invoice is paid with its making."""

from __future__ import annotations

from invoices.methods.protocol import (
    REFUNDED_BY_REQUEST,
    REFUNDED_OUTSIDE,
    Collection,
    PaymentMethod,
    Standing,
    moves,
    sentences,
)
from invoices.states import InvoiceStatus, MethodCode, RefundOutcome, Trigger

S = InvoiceStatus


def undo(standing: Standing) -> RefundOutcome:
    """Finance gives it back and confirms."""
    return RefundOutcome.MONEY_BACK


INTERNAL = PaymentMethod(
    code=MethodCode.INTERNAL,
    title="Internal",
    first_status=S.CREATED,
    collection=Collection.AT_ONCE,
    releases_at_creation=True,
    moves=moves(Trigger.PAID, (S.CREATED, S.PAID)) | REFUNDED_BY_REQUEST | REFUNDED_OUTSIDE,
    full_refund_from=frozenset({S.PAID}),
    partial_refund_from=frozenset(),
    undo=undo,
    next_step=sentences(
        CREATED="Nothing: it is paid with its making.",
        REFUND_REQUESTED="Finance gives the money back and confirms that here, with the evidence.",
    ),
    numbers_itself=True,
    pays_partners=False,
)
