"""Card against an invoice that the external ledger has already: after a returned debit, or converted online banking."""

from __future__ import annotations

from invoices.methods.protocol import Collection, PaymentMethod, Standing, moves, sentences
from invoices.states import InvoiceStatus, MethodCode, RefundOutcome, Trigger

S = InvoiceStatus


def undo(standing: Standing) -> RefundOutcome:
    """Never asked: no refund is allowed; what is given back outside is recorded as such."""
    return RefundOutcome.MANUAL


CARD_ON_INVOICE = PaymentMethod(
    code=MethodCode.CC,
    title="Card on a ledger invoice",
    first_status=S.CREATED,
    collection=Collection.CARD,
    releases_at_creation=False,
    moves=moves(Trigger.PAID, (S.CREATED, S.PAID))
    | moves(Trigger.CHARGED_BACK, (S.PAID, S.CHARGEBACK))
    | moves(Trigger.REFUNDED_OUTSIDE, (S.PAID, S.MANUALLY_REFUNDED)),
    full_refund_from=frozenset(),
    partial_refund_from=frozenset(),
    undo=undo,
    next_step=sentences(CREATED="The payer opens the payment link and pays by card."),
    numbers_itself=True,
)
