"""What an invoice's receipts, refunds and evidence add up to, and the status that they imply. Knows no database."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from invoices.states import InvoiceStatus

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides about an invoice's status. Amounts are of the invoice's currency.

    `first_status` is the method's, for an unpaid invoice without evidence.
    """

    first_status: InvoiceStatus
    total: Decimal
    paid: Decimal = ZERO
    # What went back the way it came, as a credit, outside of the platform; and what is on its way.
    refunded: Decimal = ZERO
    credited: Decimal = ZERO
    manual: Decimal = ZERO
    pending: Decimal = ZERO
    is_settled: bool = False
    is_cancelled: bool = False
    is_abandoned: bool = False
    is_deleted: bool = False
    is_bounced: bool = False
    is_overdue: bool = False
    is_charged_back: bool = False
    is_gl_changed: bool = False
    is_scheduled: bool = False

    @property
    def undone(self) -> Decimal:
        """What was given back in any way."""
        return self.refunded + self.credited + self.manual

    @property
    def is_undone(self) -> bool:
        """Whether all of it was given back or is being given back, and nobody took the payment away since."""
        if self.is_bounced and self.paid < self.total:
            return False
        return self.total > ZERO and self.undone + self.pending >= self.total

    @property
    def owing(self) -> Decimal:
        """What the payer still has to pay; nothing once it was stopped or undone.

        What was given back of it in part does not lessen it when its payment is taken away afterwards: that part is
        with the payer still, as a credit or as money.
        """
        if self.is_cancelled or self.is_deleted or self.is_abandoned or self.is_charged_back or self.is_undone:
            return ZERO
        return self.total - self.paid


def implied_status(facts: Facts) -> InvoiceStatus:
    """The one status that the facts imply, the strongest fact first."""
    return _stopped(facts) or _undone(facts) or _paid(facts) or _unpaid(facts)


def _stopped(facts: Facts) -> InvoiceStatus | None:
    if facts.is_charged_back:
        return InvoiceStatus.CHARGEBACK
    if facts.is_cancelled:
        return InvoiceStatus.CANCELLED
    if facts.is_deleted:
        return InvoiceStatus.DELETED
    return InvoiceStatus.DELETE_ACCEPTED if facts.is_abandoned else None


def _undone(facts: Facts) -> InvoiceStatus | None:
    if not facts.is_undone:
        return None
    if facts.pending:
        return InvoiceStatus.REFUND_REQUESTED
    # A cheque for what was left after other refunds ends it as well: no other system knows of all of it.
    if facts.manual:
        return InvoiceStatus.MANUALLY_REFUNDED
    if facts.credited == facts.total:
        return InvoiceStatus.CREDITED
    return InvoiceStatus.GL_UPDATED_REFUND if facts.is_gl_changed else InvoiceStatus.REFUNDED


def _paid(facts: Facts) -> InvoiceStatus | None:
    # Nothing to pay is no payment: it takes the receipt that says so.
    if facts.paid < facts.total or not facts.is_settled:
        return None
    return InvoiceStatus.GL_UPDATED if facts.is_gl_changed else InvoiceStatus.PAID


def _unpaid(facts: Facts) -> InvoiceStatus:
    if facts.is_overdue:
        return InvoiceStatus.OVERDUE
    if facts.is_bounced:
        return InvoiceStatus.SETTLEMENT_SCHED
    if facts.paid > ZERO:
        return InvoiceStatus.PARTIAL_PAID
    if facts.is_scheduled:
        return InvoiceStatus.SETTLEMENT_SCHED
    return facts.first_status
