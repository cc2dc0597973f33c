"""Bank transfer: released at once, paid from deposits that staff or rules match to the account."""

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
    """Stopped while the ledger knows nothing of it; in full the deposit is freed again; a part becomes a credit.

    A part is put into one balance only, the account's credit: never into the depositor's as well (domain.md 2.3).
    """
    if not standing.is_full:
        return RefundOutcome.CREDIT
    if standing.status == S.APPROVED and not (standing.has_active_reference or standing.has_completed_reference):
        return RefundOutcome.CANCEL
    return RefundOutcome.MONEY_BACK


EFT = PaymentMethod(
    code=MethodCode.EFT,
    title="Electronic funds transfer",
    first_status=S.APPROVED,
    collection=Collection.BATCH,
    releases_at_creation=True,
    moves=moves(
        Trigger.PAID,
        (S.APPROVED, S.PAID),
        (S.PARTIAL_PAID, S.PAID),
        (S.OVERDUE, S.PAID),
    )
    | moves(Trigger.PART_PAID, (S.APPROVED, S.PARTIAL_PAID))
    | moves(Trigger.REOPENED, (S.PAID, S.APPROVED), (S.PARTIAL_PAID, S.APPROVED))
    | moves(Trigger.PAST_DUE, (S.APPROVED, S.OVERDUE), (S.PARTIAL_PAID, S.OVERDUE))
    | moves(Trigger.CANCELLED, (S.APPROVED, S.CANCELLED), (S.REFUND_REQUESTED, S.CANCELLED))
    | moves(Trigger.REFUND_ASKED, (S.APPROVED, S.REFUND_REQUESTED))
    | moves(Trigger.REFUND_REFUSED, (S.REFUND_REQUESTED, S.APPROVED))
    | moves(Trigger.CREDITED, (S.PAID, S.CREDITED))
    | REFUNDED_BY_REQUEST
    | REFUNDED_OUTSIDE,
    full_refund_from=frozenset({S.APPROVED, S.PAID}),
    partial_refund_from=frozenset({S.PAID}),
    undo=undo,
    next_step=sentences(
        APPROVED="In the evening it gets its ledger invoice; it is paid when a deposit of the account is matched.",
        REFUND_REQUESTED="The bank transfer run takes the money off it and frees the deposit again.",
    ),
    lends_credit=True,
)
