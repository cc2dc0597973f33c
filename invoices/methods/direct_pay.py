"""Card, sold directly: the payer visits the gateway's page, and the goods go out when the gateway says paid."""

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
    """Back to the card."""
    return RefundOutcome.MONEY_BACK


DIRECT_PAY = PaymentMethod(
    code=MethodCode.DIRECT_PAY,
    title="Card",
    first_status=S.CREATED,
    collection=Collection.CARD,
    releases_at_creation=False,
    moves=moves(Trigger.PAID, (S.CREATED, S.PAID))
    | moves(Trigger.ABANDONED, (S.CREATED, S.DELETE_ACCEPTED))
    | moves(Trigger.DELETED, (S.DELETE_ACCEPTED, S.DELETED), (S.CREATED, S.DELETED))
    # A payment on a page that was left open counts, although the payer had given up.
    | moves(Trigger.PAID, (S.DELETE_ACCEPTED, S.PAID), (S.DELETED, S.PAID))
    | moves(Trigger.GL_CHANGED, (S.PAID, S.GL_UPDATED), (S.REFUNDED, S.GL_UPDATED_REFUND))
    | moves(Trigger.GL_POSTED, (S.GL_UPDATED, S.PAID), (S.GL_UPDATED_REFUND, S.REFUNDED))
    | moves(Trigger.CHARGED_BACK, (S.PAID, S.CHARGEBACK))
    | REFUNDED_BY_REQUEST
    | REFUNDED_OUTSIDE
    | REST_REFUNDED,
    full_refund_from=frozenset({S.PAID}),
    partial_refund_from=frozenset({S.PAID}),
    undo=undo,
    next_step=sentences(
        CREATED="The payer opens the payment link and pays by card.",
        REFUND_REQUESTED="The card gateway gives the money back to the card; the next look asks whether it has.",
    ),
    numbers_itself=True,
)
