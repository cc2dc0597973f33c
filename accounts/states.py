"""The codes of the accounts app: plain data, with one comment a value."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """How an account pays unless an invoice says otherwise."""

    PAD = "PAD"  # pre-authorised debit: we draw the money from the account's bank
    EFT = "EFT"  # the account transfers money against its monthly statement
    EJV = "EJV"  # journal voucher between two government general ledgers
    ONLINE_BANKING = "ONLINE_BANKING"  # a bill payee at the account's bank
    DIRECT_PAY = "DIRECT_PAY"  # card, paid while the customer waits
    CC = "CC"  # card against an invoice that the ledger has already; this is how a lock is paid off
    DRAWDOWN = "DRAWDOWN"  # the account's balance in the prepaid mainframe
    INTERNAL = "INTERNAL"  # staff, and what costs nothing


class IdentityStatus(StrEnum):
    """Where an account's identity in the external ledger stands."""

    PENDING = "PENDING"  # the ledger does not know the account yet
    PENDING_PAD_ACTIVATION = "PENDING_PAD_ACTIVATION"  # known there; the waiting time before the first debit runs
    ACTIVE = "ACTIVE"  # money can be collected
    FREEZE = "FREEZE"  # collecting is stopped, because money bounced
    INACTIVE = "INACTIVE"  # retired: newer bank details took its place, or the account was closed


# From each status, where it may move. INACTIVE is final: what was charged to it keeps pointing at it.
IDENTITY_MOVES: dict[IdentityStatus, frozenset[IdentityStatus]] = {
    IdentityStatus.PENDING: frozenset(
        {
            IdentityStatus.PENDING_PAD_ACTIVATION,
            IdentityStatus.ACTIVE,
            IdentityStatus.FREEZE,
            IdentityStatus.INACTIVE,
        }
    ),
    IdentityStatus.PENDING_PAD_ACTIVATION: frozenset(
        {IdentityStatus.ACTIVE, IdentityStatus.FREEZE, IdentityStatus.INACTIVE}
    ),
    IdentityStatus.ACTIVE: frozenset({IdentityStatus.FREEZE, IdentityStatus.INACTIVE}),
    # Once nothing stops it any more, it goes on from where it would be by now.
    IdentityStatus.FREEZE: frozenset(
        {
            IdentityStatus.PENDING,
            IdentityStatus.PENDING_PAD_ACTIVATION,
            IdentityStatus.ACTIVE,
            IdentityStatus.INACTIVE,
        }
    ),
    IdentityStatus.INACTIVE: frozenset(),
}
FINAL_IDENTITY_STATUSES = frozenset(status for status, targets in IDENTITY_MOVES.items() if not targets)


class LockKind(StrEnum):
    """Why an account may order nothing until somebody pays or decides."""

    NSF = "NSF"  # a debit bounced: not sufficient funds
    OVERDUE_EFT = "OVERDUE_EFT"  # an invoice on a statement was not paid in time


class PartnerKind(StrEnum):
    """How a partner is paid its share."""

    GOVERNMENT = "GOVERNMENT"  # by journal voucher
    NON_GOVERNMENT = "NON_GOVERNMENT"  # by accounts payable, under a supplier number


class Frequency(StrEnum):
    """How often an account gets its statement."""

    DAILY = "DAILY"  # one a day
    WEEKLY = "WEEKLY"  # Sunday to Saturday
    MONTHLY = "MONTHLY"  # a calendar month; the only one for EFT, whose due dates hang on it


def may_move(current: str, target: IdentityStatus) -> bool:
    return target in IDENTITY_MOVES[IdentityStatus(current)]


def default_statement_frequency(method: str) -> Frequency:
    """How often an account that pays by `method` gets its statement unless it chooses otherwise."""
    return Frequency.MONTHLY if method == Method.EFT else Frequency.WEEKLY


def choices(codes: type[StrEnum]) -> list[tuple[str, str]]:
    """The values of an enumeration as a model's or a form's choices, with the words that people read."""
    return [(code.value, WORDS.get(code.value, code.value.replace("_", " ").capitalize())) for code in codes]


WORDS = {
    Method.PAD.value: "Pre-authorised debit (PAD)",
    Method.EFT.value: "Electronic funds transfer (EFT)",
    Method.EJV.value: "Journal voucher (EJV)",
    Method.ONLINE_BANKING.value: "Online banking",
    Method.DIRECT_PAY.value: "Card",
    Method.CC.value: "Card for a ledger invoice (CC)",
    Method.DRAWDOWN.value: "Prepaid drawdown",
    Method.INTERNAL.value: "Internal",
    IdentityStatus.PENDING_PAD_ACTIVATION.value: "Pending PAD activation",
    IdentityStatus.FREEZE.value: "Frozen",
    LockKind.NSF.value: "Not sufficient funds (NSF)",
    LockKind.OVERDUE_EFT.value: "Overdue EFT invoice",
    PartnerKind.NON_GOVERNMENT.value: "Outside government",
}
