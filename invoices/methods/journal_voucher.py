"""Electronic journal voucher: a government customer's ledger pays ours, by a file and its feedback."""

from __future__ import annotations

from invoices.methods.protocol import (
    REFUNDED_BY_REQUEST,
    REFUNDED_OUTSIDE,
    REST_REFUNDED,
    Collection,
    PaymentMethod,
    Standing,
    moves,
    sentences,
)
from invoices.states import InvoiceStatus, MethodCode, RefundOutcome, Trigger

S = InvoiceStatus


def undo(standing: Standing) -> RefundOutcome:
    """Stopped while no file names it; afterwards a reversing voucher brings the money back."""
    if standing.status == S.APPROVED and not standing.has_active_reference and standing.is_full:
        return RefundOutcome.CANCEL
    return RefundOutcome.MONEY_BACK


EJV = PaymentMethod(
    code=MethodCode.EJV,
    title="Journal voucher",
    first_status=S.APPROVED,
    collection=Collection.BATCH,
    releases_at_creation=True,
    moves=moves(Trigger.PAID, (S.APPROVED, S.PAID))
    | moves(Trigger.CANCELLED, (S.APPROVED, S.CANCELLED))
    | moves(Trigger.REFUND_ASKED, (S.APPROVED, S.REFUND_REQUESTED))
    | moves(Trigger.REFUND_REFUSED, (S.REFUND_REQUESTED, S.APPROVED))
    # Of an account that is settled outside there is nothing to wait for.
    | moves(Trigger.REFUNDED, (S.PAID, S.REFUNDED))
    | REFUNDED_BY_REQUEST
    | REFUNDED_OUTSIDE
    | REST_REFUNDED,
    full_refund_from=frozenset({S.APPROVED, S.PAID}),
    partial_refund_from=frozenset({S.PAID}),
    undo=undo,
    next_step=sentences(
        APPROVED="At 20:01 it joins the voucher file of the day; the feedback file then says that it is paid.",
        REFUND_REQUESTED="A reversing voucher goes out with the next file; its feedback confirms the refund.",
    ),
)
