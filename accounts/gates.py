"""Why an account may not order by a method now. Pure: rows come in, and stable codes with sentences go out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from accounts.states import IdentityStatus, LockKind, Method

if TYPE_CHECKING:
    from accounts.models import AccountLock, LedgerIdentity, PaymentAccount

# Staff's own methods, what costs nothing, and the card for a ledger invoice, by which a lock is paid off.
EXEMPT_FROM_LOCKS = frozenset({Method.INTERNAL.value, Method.CC.value, "NO_FEE", "ROUTING_SLIP"})

ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
PAD_CURRENTLY_NSF = "PAD_CURRENTLY_NSF"
EFT_INVOICES_OVERDUE = "EFT_INVOICES_OVERDUE"
PAD_NOT_ACTIVE = "PAD_NOT_ACTIVE"
EFT_NOT_ENABLED = "EFT_NOT_ENABLED"
JOURNAL_RESTRICTED = "JOURNAL_RESTRICTED"
JOURNAL_NOT_SET_UP = "JOURNAL_NOT_SET_UP"


@dataclass(frozen=True, slots=True)
class Gate:
    """One refusal: a stable code, what is the matter, and what opens the gate."""

    code: str
    message: str
    next_step: str


def refusals(
    account: PaymentAccount,
    method: str,
    *,
    locks: Collection[AccountLock],
    identity: LedgerIdentity | None,
    at: datetime,
) -> list[Gate]:
    """Every reason why `account` may not order by `method` at `at`; empty when it may.

    `locks` may be all locks of the account or its live ones. `identity` is its live ledger identity for `method`, and
    is looked at for PAD only.
    """
    if account.closed_at is not None and account.closed_at <= at:
        return [Gate(ACCOUNT_CLOSED, "The account is closed.", "Use an account that is open.")]
    found = [*_of_locks(method, locks), *_of_method(account, method, identity, at)]
    # A bounced debit locks the account and freezes its debits: that is one refusal, not two.
    return list({gate.code: gate for gate in reversed(found)}.values())[::-1]


def _of_locks(method: str, locks: Collection[AccountLock]) -> list[Gate]:
    if method in EXEMPT_FROM_LOCKS:
        return []
    live = {lock.kind for lock in locks if lock.lifted_at is None}
    gates = []
    if LockKind.NSF in live:
        gates.append(
            Gate(
                PAD_CURRENTLY_NSF,
                "A debit of the account bounced (not sufficient funds), and it is locked until that is paid.",
                "Pay what bounced, and the fee for it, by card.",
            )
        )
    if LockKind.OVERDUE_EFT in live:
        gates.append(
            Gate(
                EFT_INVOICES_OVERDUE,
                "Invoices of the account are overdue, and it is locked until they are paid.",
                "Pay what is overdue, by transfer or by card.",
            )
        )
    return gates


def _of_method(account: PaymentAccount, method: str, identity: LedgerIdentity | None, at: datetime) -> list[Gate]:
    match method:
        case Method.PAD:
            return _of_pad(account, identity, at)
        case Method.EFT if not account.eft_enabled:
            return [
                Gate(
                    EFT_NOT_ENABLED,
                    "Payment by electronic funds transfer is not enabled for the account.",
                    "Ask finance to enable it, or choose another method.",
                )
            ]
        case Method.EJV:
            return _of_journal(account)
    return []


def _of_journal(account: PaymentAccount) -> list[Gate]:
    if account.journal_restricted:
        message = "The account may not pay by journal voucher for now."
        return [Gate(JOURNAL_RESTRICTED, message, "Choose another method, or ask finance why it is restricted.")]
    # Goods go out with the order: without a code there is no ledger that would ever pay for them.
    if account.billable and account.journal_gl_id is None:
        message = "Payment by journal voucher is not set up for the account: it has no general ledger code."
        return [Gate(JOURNAL_NOT_SET_UP, message, "Choose another method, or ask finance to agree a code.")]
    return []


def _of_pad(account: PaymentAccount, identity: LedgerIdentity | None, at: datetime) -> list[Gate]:
    if identity is None:
        message = "Pre-authorised debit is not set up for the account: it has no bank details."
        return [Gate(PAD_NOT_ACTIVE, message, "Give the account's bank details, and accept the terms.")]
    if account.pad_activates_at is None:
        message = "Pre-authorised debit is not active for the account: nobody has accepted its terms."
        return [Gate(PAD_NOT_ACTIVE, message, "Accept the terms, or pay by another method.")]
    if identity.status == IdentityStatus.PENDING_PAD_ACTIVATION or at < account.pad_activates_at:
        message = "Pre-authorised debit is not active yet for the account: its waiting time still runs."
        return [Gate(PAD_NOT_ACTIVE, message, "Wait until it is active, or pay by another method.")]
    if identity.status == IdentityStatus.FREEZE:
        message = "Debits of the account are stopped: its ledger identity is frozen."
        return [Gate(PAD_CURRENTLY_NSF, message, "Pay what bounced, or ask finance why it is frozen.")]
    return []
