"""What a payment method says about itself: which moves are legal, how it collects, how it gives back, what is next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from invoices.states import OPEN_STATUSES, InvoiceStatus, Move, RefundOutcome, Trigger


class Collection(StrEnum):
    """How the money comes."""

    AT_ONCE = "at-once"  # with the invoice: nothing is to be paid, or staff have it already
    PREPAID = "prepaid"  # taken from the prepaid account with the invoice
    CARD = "card"  # the payer visits the gateway's page
    PAYER = "payer"  # the payer acts at their bank
    BATCH = "batch"  # collected later by file


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a method looks at when it decides about one invoice."""

    status: InvoiceStatus
    has_active_reference: bool = False
    has_completed_reference: bool = False
    # False for our own organisation, whose vouchers are settled outside.
    is_billable: bool = True
    is_full: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """One way to pay. `undo` says what a refund does with the money now; `next_step` what happens next, to a reader.

    `releases_at_creation`: the goods go out with the invoice, before the money is there. `full_refund_from` and
    `partial_refund_from` are the statuses from which a refund may be asked for. `lends_credit`: credits of this method
    may pay its invoices. `pays_partners`: partners get their share of it from us, and give it back through us.
    """

    code: str
    title: str
    first_status: InvoiceStatus
    collection: Collection
    moves: frozenset[Move]
    releases_at_creation: bool
    full_refund_from: frozenset[InvoiceStatus]
    partial_refund_from: frozenset[InvoiceStatus]
    undo: Callable[[Standing], RefundOutcome]
    next_step: Callable[[Standing], str]
    numbers_itself: bool = False
    lends_credit: bool = False
    pays_partners: bool = True

    def may_move(self, source: InvoiceStatus, target: InvoiceStatus) -> bool:
        return any(move.source == source and move.target == target for move in self.moves)

    def allows(self, source: InvoiceStatus, trigger: Trigger) -> bool:
        """Whether this may happen to an invoice in this status."""
        return any(move.source == source and move.trigger == trigger for move in self.moves)

    def targets(self, source: InvoiceStatus) -> frozenset[InvoiceStatus]:
        return frozenset(move.target for move in self.moves if move.source == source)

    def statuses(self) -> frozenset[InvoiceStatus]:
        """Every status that an invoice of this method can have."""
        reached = {self.first_status} | {move.target for move in self.moves}
        return frozenset(reached | {move.source for move in self.moves})

    def may_cancel(self, standing: Standing) -> bool:
        """Whether it can be stopped without any money having moved."""
        if standing.status not in OPEN_STATUSES or self.collection == Collection.PREPAID:
            return False
        # A number that the method gives itself is no invoice of the ledger yet.
        known_outside = standing.has_active_reference and not self.numbers_itself
        return not known_outside and bool(self.targets(standing.status) & STOPPED)


def moves(trigger: Trigger, *pairs: tuple[InvoiceStatus, InvoiceStatus]) -> frozenset[Move]:
    """Legal moves of one trigger."""
    return frozenset(Move(source, target, trigger) for source, target in pairs)


S = InvoiceStatus
STOPPED = frozenset({S.CANCELLED, S.DELETED})
# What every method with money in it allows: finance gives it back by other means and records that.
REFUNDED_OUTSIDE = moves(Trigger.REFUNDED_OUTSIDE, (S.PAID, S.MANUALLY_REFUNDED))
# Money that the outside must give back and confirm.
REFUNDED_BY_REQUEST = (
    moves(Trigger.REFUND_ASKED, (S.PAID, S.REFUND_REQUESTED))
    | moves(Trigger.REFUNDED, (S.REFUND_REQUESTED, S.REFUNDED))
    | moves(Trigger.REFUND_REFUSED, (S.REFUND_REQUESTED, S.PAID))
)
# The outside gives back what a cheque has left of it.
REST_REFUNDED = moves(Trigger.REFUNDED, (S.REFUND_REQUESTED, S.MANUALLY_REFUNDED))

# What is said of a status whatever the method; a method's own sentence goes before it.
SENTENCES: dict[InvoiceStatus, str] = {
    S.CREATED: "The payer must pay.",
    S.APPROVED: "The money is collected later.",
    S.SETTLEMENT_SCHED: "The external ledger waits for the money.",
    S.PARTIAL_PAID: "A part is received; the rest is awaited.",
    S.PAID: "Nothing: it is paid.",
    S.OVERDUE: "It is past its due date: the payer must pay, and the account is locked until then.",
    S.REFUND_REQUESTED: "The outside must confirm that the money went back.",
    S.REFUNDED: "Nothing: the money went back.",
    S.CREDITED: "Nothing: the money stands to the account's credit.",
    S.CANCELLED: "Nothing: it was stopped before any money was taken.",
    S.MANUALLY_REFUNDED: "Nothing: finance gave the money back outside of the platform.",
    S.CHARGEBACK: "Nothing: the card issuer took the money back.",
    S.DELETE_ACCEPTED: "It is deleted as soon as it is certain that no card payment is under way.",
    S.DELETED: "Nothing: the payer gave up before paying.",
    S.GL_UPDATED: "Its changed revenue lines are sent to the card gateway.",
    S.GL_UPDATED_REFUND: "Its changed revenue lines are sent to the card gateway.",
}


def sentences(**own: str) -> Callable[[Standing], str]:
    """A `next_step` from one sentence a status, the general ones where the method has none of its own."""

    def next_step(standing: Standing) -> str:
        return own.get(standing.status.value, SENTENCES[standing.status])

    return next_step
