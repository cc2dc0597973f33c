"""The codes of the invoices app: plain data, with one comment a value. The legal moves are each method's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class InvoiceStatus(StrEnum):
    """Where an invoice stands (domain.md 2.1). It is derived from its receipts, refunds and evidence (balances.py)."""

    CREATED = "CREATED"  # recorded; the payer must still act
    APPROVED = "APPROVED"  # goods released; the money is collected later
    SETTLEMENT_SCHED = "SETTLEMENT_SCHED"  # an invoice of the external ledger exists and is unpaid
    PARTIAL_PAID = "PARTIAL_PAID"  # a part of it is received
    PAID = "PAID"  # all of it is received
    OVERDUE = "OVERDUE"  # not paid by its overdue date
    REFUND_REQUESTED = "REFUND_REQUESTED"  # all of it is to go back; the outside has not confirmed yet
    REFUNDED = "REFUNDED"  # all of it went back the way it came
    CREDITED = "CREDITED"  # all of it stands as a credit on the payer's account
    CANCELLED = "CANCELLED"  # stopped before any money was taken
    MANUALLY_REFUNDED = "MANUALLY_REFUNDED"  # all of it went back, the rest or all outside, as finance recorded
    CHARGEBACK = "CHARGEBACK"  # the card issuer took the money back
    DELETE_ACCEPTED = "DELETE_ACCEPTED"  # given up by the payer; deleted once no card payment is under way
    DELETED = "DELETED"  # given up before payment
    GL_UPDATED = "GL_UPDATED"  # paid; its revenue lines are to be sent to the card gateway again
    GL_UPDATED_REFUND = "GL_UPDATED_REFUND"  # the same after a refund


FINAL_STATUSES = frozenset(
    {
        InvoiceStatus.REFUNDED,
        InvoiceStatus.CREDITED,
        InvoiceStatus.CANCELLED,
        InvoiceStatus.MANUALLY_REFUNDED,
        InvoiceStatus.CHARGEBACK,
        InvoiceStatus.DELETED,
    }
)
# Money is still expected of the payer.
OPEN_STATUSES = frozenset(
    {
        InvoiceStatus.CREATED,
        InvoiceStatus.APPROVED,
        InvoiceStatus.SETTLEMENT_SCHED,
        InvoiceStatus.PARTIAL_PAID,
        InvoiceStatus.OVERDUE,
    }
)


class MethodCode(StrEnum):
    """How an invoice is paid. The routing slip's method registers itself with a code of its own."""

    PAD = "PAD"  # pre-authorised debit
    EJV = "EJV"  # electronic journal voucher between government ledgers
    EFT = "EFT"  # bank transfer, found in the bank's deposit file
    DIRECT_PAY = "DIRECT_PAY"  # card, sold directly
    CC = "CC"  # card, against an invoice that the external ledger has already
    ONLINE_BANKING = "ONLINE_BANKING"  # the payer pays from their bank's site
    INTERNAL = "INTERNAL"  # staff, without a routing slip
    DRAWDOWN = "DRAWDOWN"  # a prepaid account on the mainframe
    NO_FEE = "NO_FEE"  # there is nothing to pay


class Trigger(StrEnum):
    """What may cause a move."""

    SCHEDULED = "scheduled"  # the external ledger has its invoice
    PAID = "paid"  # evidence of the whole money
    PART_PAID = "part-paid"  # evidence of a part
    BOUNCED = "bounced"  # the bank returned the debit
    REOPENED = "reopened"  # the money was taken off again
    PAST_DUE = "past-due"  # the overdue date has come
    CANCELLED = "cancelled"  # taken back, or refused by the prepaid account, before any money was taken
    ABANDONED = "abandoned"  # the payer gave up
    DELETED = "deleted"  # and no payment was under way
    REFUND_ASKED = "refund-asked"  # all of it is to go back
    REFUND_REFUSED = "refund-refused"  # the outside refused to give it back
    REFUNDED = "refunded"  # it went back
    CREDITED = "credited"  # it became a credit
    REFUNDED_OUTSIDE = "refunded-outside"  # finance gave it back by other means
    CHARGED_BACK = "charged-back"  # the card issuer took it
    GL_CHANGED = "gl-changed"  # a GL code of its lines was changed afterwards
    GL_POSTED = "gl-posted"  # the gateway has the changed lines
    CONVERTED = "converted"  # the payer changed the method


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move of one method."""

    source: InvoiceStatus
    target: InvoiceStatus
    trigger: Trigger


class ReferenceStatus(StrEnum):
    """Of an invoice's number in the external ledger."""

    ACTIVE = "ACTIVE"  # the ledger has the invoice and waits for money
    COMPLETED = "COMPLETED"  # the ledger has the money
    CANCELLED = "CANCELLED"  # reversed in the ledger


class LineStatus(StrEnum):
    ACTIVE = "ACTIVE"  # counts
    CANCELLED = "CANCELLED"  # taken off before any money was taken


class ReceiptSource(StrEnum):
    """What proves that the money is there."""

    CARD = "card"  # the card gateway
    PREPAID = "prepaid"  # the mainframe
    INTERNAL = "internal"  # we ourselves: nothing is to be paid, or staff have it
    CREDIT = "credit"  # a credit of the account
    SETTLEMENT = "settlement"  # a line of a settlement file
    FEEDBACK = "feedback"  # a line of a voucher's feedback
    DEPOSIT = "deposit"  # a line of the bank's deposit file
    SLIP = "slip"  # a routing slip


class FeeType(StrEnum):
    """The parts of a line that are refunded apart (domain.md 1.3), and the taxes on them."""

    BASE_FEES = "BASE_FEES"
    PRIORITY_FEES = "PRIORITY_FEES"
    FUTURE_EFFECTIVE_FEES = "FUTURE_EFFECTIVE_FEES"
    SERVICE_FEES = "SERVICE_FEES"
    STATUTORY_GST = "STATUTORY_GST"
    SERVICE_GST = "SERVICE_GST"


# Which of them belongs to the partner; the service fee and its tax never do (domain.md 3).
PARTNER_FEE_TYPES = frozenset(
    {FeeType.BASE_FEES, FeeType.PRIORITY_FEES, FeeType.FUTURE_EFFECTIVE_FEES, FeeType.STATUTORY_GST}
)


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING_APPROVAL = "PENDING_APPROVAL"  # a second person must agree
    DECLINED = "DECLINED"  # they did not, or nobody did in time
    PROCESSING = "PROCESSING"  # agreed or free; the outside has not confirmed yet
    PROCESSED = "PROCESSED"  # done
    REFUSED = "REFUSED"  # the outside refused it


REFUND_MOVES: dict[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.PENDING_APPROVAL: frozenset({RefundStatus.DECLINED, RefundStatus.PROCESSING}),
    RefundStatus.PROCESSING: frozenset({RefundStatus.PROCESSED, RefundStatus.REFUSED}),
    RefundStatus.DECLINED: frozenset(),
    RefundStatus.PROCESSED: frozenset(),
    RefundStatus.REFUSED: frozenset(),
}
# These hold their amounts back from further refunds.
LIVE_REFUNDS = frozenset({RefundStatus.PENDING_APPROVAL, RefundStatus.PROCESSING, RefundStatus.PROCESSED})
UNDER_WAY_REFUNDS = frozenset({RefundStatus.PENDING_APPROVAL, RefundStatus.PROCESSING})


class RefundOutcome(StrEnum):
    """What a refund does with the money."""

    CANCEL = "CANCEL"  # nothing was taken: the invoice is stopped
    CREDIT = "CREDIT"  # a credit on the payer's account
    MONEY_BACK = "MONEY_BACK"  # back the way it came
    MANUAL = "MANUAL"  # given back outside; recorded only


class CreditKind(StrEnum):
    CREDIT_MEMO = "CREDIT_MEMO"  # from a refund
    ON_ACCOUNT = "ON_ACCOUNT"  # from money that came in above what was owed


class AttemptStatus(StrEnum):
    """Where one visit to the card gateway's page stands (domain.md 1.3, payment transactions)."""

    CREATED = "CREATED"  # the payer has the link
    COMPLETED = "COMPLETED"  # the gateway says that it is paid
    FAILED = "FAILED"  # declined
    CANCELLED = "CANCELLED"  # replaced by a later attempt, or the invoice was settled or given up


ATTEMPT_MOVES: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.CREATED: frozenset({AttemptStatus.COMPLETED, AttemptStatus.FAILED, AttemptStatus.CANCELLED}),
    AttemptStatus.COMPLETED: frozenset(),
    # A payer may try again on a page that declined, or pay on one that they left open: the money counts.
    AttemptStatus.FAILED: frozenset({AttemptStatus.COMPLETED}),
    AttemptStatus.CANCELLED: frozenset({AttemptStatus.COMPLETED}),
}


class CallKind(StrEnum):
    PREPAID_DEBIT = "PREPAID_DEBIT"
    CARD_REFUND = "CARD_REFUND"


class CallStatus(StrEnum):
    """Where a writing call to the outside stands: committed before it is sent, and harmless to repeat by its key."""

    PENDING = "PENDING"  # to be sent
    SENT = "SENT"  # a process has taken it, until its lease ends
    UNKNOWN = "UNKNOWN"  # sent, and no usable answer came: the sweep asks
    SUCCEEDED = "SUCCEEDED"  # the other side did it
    REFUSED = "REFUSED"  # the other side refused


CALL_MOVES: dict[CallStatus, frozenset[CallStatus]] = {
    CallStatus.PENDING: frozenset({CallStatus.SENT}),
    # Back to pending: the other side certainly did nothing. Sent again: the process that had taken it is gone.
    CallStatus.SENT: frozenset(
        {CallStatus.SUCCEEDED, CallStatus.REFUSED, CallStatus.UNKNOWN, CallStatus.PENDING, CallStatus.SENT}
    ),
    CallStatus.UNKNOWN: frozenset({CallStatus.SENT}),
    CallStatus.SUCCEEDED: frozenset(),
    CallStatus.REFUSED: frozenset(),
}
UNFINISHED_CALLS = frozenset({CallStatus.PENDING, CallStatus.SENT, CallStatus.UNKNOWN})
