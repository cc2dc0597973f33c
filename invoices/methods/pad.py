"""Pre-authorised debit: released at once, collected from the bank account at night, and never pulled back to it."""

from __future__ import annotations

from invoices.methods.protocol import REFUNDED_OUTSIDE, Collection, PaymentMethod, Standing, moves, sentences
from invoices.states import InvoiceStatus, MethodCode, RefundOutcome, Trigger

S = InvoiceStatus


def undo(standing: Standing) -> RefundOutcome:
    """Stopped while the ledger knows nothing of it; afterwards only a credit is possible."""
    if standing.status == S.APPROVED and not standing.has_active_reference and standing.is_full:
        return RefundOutcome.CANCEL
    return RefundOutcome.CREDIT


PAD = PaymentMethod(
    code=MethodCode.PAD,
    title="Pre-authorised debit",
    first_status=S.APPROVED,
    collection=Collection.BATCH,
    releases_at_creation=True,
    moves=moves(Trigger.PAID, (S.APPROVED, S.PAID), (S.PARTIAL_PAID, S.PAID), (S.SETTLEMENT_SCHED, S.PAID))
    # By a credit of the account that does not reach for all of it: the rest is collected.
    | moves(Trigger.PART_PAID, (S.APPROVED, S.PARTIAL_PAID))
    # The bank may return a debit that the ledger never reported as paid: it is unpaid in both cases (domain.md 9.2).
    | moves(
        Trigger.BOUNCED,
        (S.PAID, S.SETTLEMENT_SCHED),
        (S.APPROVED, S.SETTLEMENT_SCHED),
        (S.PARTIAL_PAID, S.SETTLEMENT_SCHED),
    )
    # Also one that was credited or given back already: the payer has that, and owes the invoice; when that is paid,
    # it is as before.
    | moves(Trigger.BOUNCED, (S.CREDITED, S.SETTLEMENT_SCHED), (S.MANUALLY_REFUNDED, S.SETTLEMENT_SCHED))
    | moves(Trigger.PAID, (S.SETTLEMENT_SCHED, S.CREDITED), (S.SETTLEMENT_SCHED, S.MANUALLY_REFUNDED))
    | moves(Trigger.CANCELLED, (S.APPROVED, S.CANCELLED))
    | moves(Trigger.CREDITED, (S.APPROVED, S.CREDITED), (S.PAID, S.CREDITED))
    | REFUNDED_OUTSIDE,
    full_refund_from=frozenset({S.APPROVED, S.PAID}),
    partial_refund_from=frozenset({S.PAID}),
    undo=undo,
    next_step=sentences(
        APPROVED="In the evening it joins the account's ledger invoice of the day; the settlement file then says "
        "that it is paid.",
        SETTLEMENT_SCHED="The bank returned the debit: the payer must pay by card; until then the account is locked.",
    ),
    lends_credit=True,
)
