"""Accounts: opened, changed, closed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.db import IntegrityError, transaction

from accounts.closing import hindrances
from accounts.models import LedgerIdentity, PaymentAccount
from accounts.operations.finding import locked_account, locked_open_account, require_referred
from accounts.operations.identities import retire_identities
from accounts.states import Frequency, IdentityStatus, Method, default_statement_frequency
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work


class AccountKnown(Conflict):
    """There is an account of this number already, with other details."""

    code = "account-known"
    next_step = "Compare the details in `difference`; change the account, or choose another number."


class AccountUnfit(Refused):
    """These details do not fit together."""

    code = "account-unfit"


class AccountNotClosable(Conflict):
    """Something stands in the way of closing the account."""

    code = "account-not-closable"
    title = "The account cannot be closed yet"
    next_step = "Clear what stands in the way, then close it."


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    """What is agreed with a customer. Without a statement frequency, that of the payment method applies.

    `journal_gl_id` is the key of the customer's own general ledger code, which a billable account that pays by EJV
    needs.
    """

    name: str
    payment_method: str
    branch_name: str = ""
    prepaid_user_id: str = ""
    prepaid_account: str = ""
    billable: bool = True
    eft_enabled: bool = False
    journal_restricted: bool = False
    journal_gl_id: int | None = None
    statement_frequency: str | None = None
    statement_notification_enabled: bool = False

    @classmethod
    def of(cls, account: PaymentAccount) -> Self:
        """What is agreed now, to be changed with dataclasses.replace."""
        return cls(**{field.name: getattr(account, field.name) for field in fields(cls)})

    def completed(self) -> Self:
        """The same with its statement frequency."""
        if self.statement_frequency is not None:
            return self
        return replace(self, statement_frequency=default_statement_frequency(self.payment_method).value)


class Opening(NamedTuple):
    """The account, and whether this call opened it."""

    account: PaymentAccount
    is_new: bool


@unit_of_work
def open_account(
    account_number: str, details: AccountDetails, *, actor: Actor, reason: str = "", at: datetime
) -> Opening:
    """As one unit of work; see `add_account`."""
    return add_account(account_number, details, actor=actor, reason=reason, at=at)


@inside_unit_of_work
def add_account(
    account_number: str, details: AccountDetails, *, actor: Actor, reason: str = "", at: datetime
) -> Opening:
    """A new account under this number; with the same details as before, the one there is, and is_new False.

    Raises AccountUnfit, ReferenceUnknown, or AccountKnown, whose context shows the difference.
    """
    details = _checked(details.completed())
    account = PaymentAccount(account_number=account_number.strip(), created_at=at, **asdict(details))
    if not account.account_number:
        raise _unfit(FieldError("account_number", "blank", "Give the account a number."))
    try:
        # A savepoint, so that the account that has the number can still be read after the refusal.
        with transaction.atomic():
            account.save(force_insert=True)
    except IntegrityError:
        return _known(account.account_number, details)
    record_entry(
        actor=actor,
        action="account.opened",
        subject=account,
        after={"account_number": account.account_number, **asdict(details)},
        reason=reason,
        at=at,
    )
    return Opening(account, is_new=True)


@unit_of_work
def change_account(
    account_id: int, details: AccountDetails, *, actor: Actor, reason: str = "", at: datetime
) -> PaymentAccount:
    """Puts these details in the place of the old ones: `replace(AccountDetails.of(account), name=…)`.

    The audit keeps what changed; nothing is written when nothing did. Raises NoSuchAccount, AccountClosed,
    AccountUnfit or ReferenceUnknown.
    """
    return _change(locked_open_account(account_id), details, actor=actor, reason=reason, at=at)


@unit_of_work
def change_default_method(
    account_id: int, method: str, *, actor: Actor, reason: str = "", at: datetime
) -> PaymentAccount:
    """The account pays by this method from now on, and gets its statements as often as the method says.

    Raises NoSuchAccount, AccountClosed or AccountUnfit.
    """
    account = locked_open_account(account_id)
    if account.payment_method == method:
        return account
    details = replace(AccountDetails.of(account), payment_method=method, statement_frequency=None)
    return _change(account, details, actor=actor, reason=reason, at=at)


@unit_of_work
def close_account(account_id: int, *, actor: Actor, reason: str, at: datetime) -> PaymentAccount:
    """Closes the account for good and retires its ledger identities. Closing twice is closing once.

    Raises NoSuchAccount, or AccountNotClosable with every hindrance: a lock, frozen debits, and what apps above
    registered.
    """
    account = locked_account(account_id)
    if account.is_closed:
        return account
    in_the_way = _in_the_way(account, at)
    if in_the_way:
        raise AccountNotClosable(" ".join(in_the_way), ids=[account.pk], hindrances=in_the_way)
    retired = retire_identities(account, at=at)
    account.closed_at = at
    account.save(update_fields=["closed_at"])
    record_entry(
        actor=actor,
        action="account.closed",
        subject=account,
        before={"closed_at": None},
        after={"closed_at": at, "identities_retired": retired},
        reason=reason,
        at=at,
    )
    return account


@inside_unit_of_work
def _change(
    account: PaymentAccount, details: AccountDetails, *, actor: Actor, reason: str, at: datetime
) -> PaymentAccount:
    details = _checked(details.completed())
    old, new = asdict(AccountDetails.of(account)), asdict(details)
    changed = [field for field in new if new[field] != old[field]]
    if not changed:
        return account
    for field in changed:
        setattr(account, field, new[field])
    account.save(update_fields=changed)
    record_entry(
        actor=actor,
        action="account.changed",
        subject=account,
        before={field: old[field] for field in changed},
        after={field: new[field] for field in changed},
        reason=reason,
        at=at,
    )
    return account


def _known(account_number: str, details: AccountDetails) -> Opening:
    account = PaymentAccount.objects.get(account_number=account_number)
    old, new = asdict(AccountDetails.of(account)), asdict(details)
    difference = [
        {"field": field, "recorded": old[field], "received": new[field]} for field in new if new[field] != old[field]
    ]
    if difference or account.is_closed:
        state = "closed" if account.is_closed else "known with other details"
        raise AccountKnown(f"Account {account_number} is {state}.", ids=[account.pk], difference=difference)
    return Opening(account, is_new=False)


def _checked(details: AccountDetails) -> AccountDetails:
    details = replace(details, name=details.name.strip())
    errors: list[FieldError] = []
    if not details.name:
        errors.append(FieldError("name", "blank", "Give the account a name."))
    if details.payment_method not in set(Method):
        errors.append(FieldError("payment_method", "unknown", f"Choose from {', '.join(Method)}."))
    if details.statement_frequency not in set(Frequency):
        errors.append(FieldError("statement_frequency", "unknown", f"Choose from {', '.join(Frequency)}."))
    elif details.payment_method == Method.EFT and details.statement_frequency != Frequency.MONTHLY:
        errors.append(FieldError("statement_frequency", "eft", "An account that pays by EFT gets monthly statements."))
    if details.payment_method == Method.EFT and not details.eft_enabled:
        errors.append(FieldError("eft_enabled", "required", "Enable EFT before the account pays by it."))
    if details.payment_method == Method.EJV and details.billable and details.journal_gl_id is None:
        message = "A billable account that pays by journal voucher needs its own general ledger code."
        errors.append(FieldError("journal_gl", "required", message))
    if errors:
        raise _unfit(*errors)
    if details.journal_gl_id is not None:
        require_referred(PaymentAccount, "journal_gl", details.journal_gl_id)
    return details


def _unfit(*errors: FieldError) -> AccountUnfit:
    return AccountUnfit(" ".join(error.message for error in errors), errors=tuple(errors))


def _in_the_way(account: PaymentAccount, at: datetime) -> list[str]:
    locked: list[Any] = list(account.locks.live())
    found = [f"It is locked: {lock.get_kind_display()}." for lock in locked]
    if LedgerIdentity.objects.filter(account=account, status=IdentityStatus.FREEZE).exists():
        found.append("Its debits are frozen.")
    return found + hindrances(account, at)
