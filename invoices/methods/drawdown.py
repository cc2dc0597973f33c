"""Prepaid drawdown: the mainframe takes the money from the customer's prepaid account with the invoice's making."""

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
    """The help desk reverses the debit by hand, in full only; the mainframe's records confirm it."""
    return RefundOutcome.MONEY_BACK


DRAWDOWN = PaymentMethod(
    code=MethodCode.DRAWDOWN,
    title="Prepaid drawdown",
    first_status=S.CREATED,
    collection=Collection.PREPAID,
    releases_at_creation=False,
    moves=moves(Trigger.PAID, (S.CREATED, S.PAID))
    | moves(Trigger.CANCELLED, (S.CREATED, S.CANCELLED))
    | REFUNDED_BY_REQUEST
    | REFUNDED_OUTSIDE,
    full_refund_from=frozenset({S.PAID}),
    partial_refund_from=frozenset(),
    undo=undo,
    next_step=sentences(
        CREATED="The prepaid account is asked whether it has paid; that is known within minutes.",
        REFUND_REQUESTED="The help desk of the prepaid accounts reverses the debit; the nightly look confirms it.",
    ),
    numbers_itself=True,
    # The mainframe pays the partner by itself.
    pays_partners=False,
)
