"""Online banking: the payer pays from their bank's site, and the settlement file says so."""

from __future__ import annotations

from invoices.methods.protocol import REFUNDED_OUTSIDE, Collection, PaymentMethod, Standing, moves, sentences
from invoices.states import InvoiceStatus, MethodCode, RefundOutcome, Trigger

S = InvoiceStatus


def undo(standing: Standing) -> RefundOutcome:
    """The bank takes nothing back: it becomes a credit."""
    return RefundOutcome.CREDIT


ONLINE_BANKING = PaymentMethod(
    code=MethodCode.ONLINE_BANKING,
    title="Online banking",
    first_status=S.CREATED,
    collection=Collection.PAYER,
    releases_at_creation=False,
    moves=moves(Trigger.SCHEDULED, (S.CREATED, S.SETTLEMENT_SCHED))
    | moves(Trigger.PART_PAID, (S.CREATED, S.PARTIAL_PAID), (S.SETTLEMENT_SCHED, S.PARTIAL_PAID))
    | moves(Trigger.PAID, (S.CREATED, S.PAID), (S.SETTLEMENT_SCHED, S.PAID), (S.PARTIAL_PAID, S.PAID))
    | moves(Trigger.CREDITED, (S.PAID, S.CREDITED))
    # No card page can be open: it is deleted at once.
    | moves(Trigger.DELETED, (S.CREATED, S.DELETED))
    | moves(Trigger.CONVERTED, (S.SETTLEMENT_SCHED, S.CREATED))
    | REFUNDED_OUTSIDE,
    full_refund_from=frozenset({S.PAID}),
    partial_refund_from=frozenset({S.PAID}),
    undo=undo,
    next_step=sentences(
        CREATED="In the evening it gets its ledger invoice; until then a credit pays it, or it is changed to a card.",
        SETTLEMENT_SCHED="The payer pays from their bank's site; the settlement file then says so. It can be changed "
        "to a card.",
    ),
    lends_credit=True,
)
