"""Ledger identities: bank details given, terms accepted, made known to the ledger, activated, frozen, revealed."""

from __future__ import annotations

import re
from datetime import datetime

from django.conf import settings

from accounts.activation import first_debit_at
from accounts.models import BankDetails, LedgerIdentity, PaymentAccount
from accounts.models.identities import BANK_NUMBER, BRANCH_NUMBER
from accounts.operations.finding import live_identity, locked_account, locked_open_account
from accounts.states import IdentityStatus, LockKind, Method
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

ACCOUNT_NUMBER = r"^[0-9]{5,17}$"


class NoSuchIdentity(NotFound):
    """There is no such ledger identity."""

    code = "unknown-ledger-identity"


class BankDetailsUnfit(Refused):
    """These are no bank details."""

    code = "bank-details-unfit"


class BankDetailsMissing(Conflict):
    """The account has no bank details for pre-authorised debit."""

    code = "bank-details-missing"
    next_step = "Give the bank details first."


class TermsAcceptedBefore(Conflict):
    """The terms of pre-authorised debit were accepted before, by somebody else."""

    code = "pad-terms-accepted-before"


class DebitNotDue(Conflict):
    """The account cannot be debited yet: it waits for its first day, or for the ledger to know it."""

    code = "pad-activation-not-due"
    next_step = "Wait: it becomes active by itself once the ledger knows it and the day on its page has come."


class LockStands(Conflict):
    """A lock of the account stands in the way."""

    code = "account-lock-stands"
    next_step = "Lift the lock: that unfreezes the identity too."


@unit_of_work
def set_bank_details(
    account_id: int,
    details: BankDetails,
    *,
    method: str = Method.PAD,
    actor: Actor,
    reason: str = "",
    at: datetime,
) -> LedgerIdentity:
    """The live identity of the account for `method`, with these bank details.

    Other details than before retire the old row; the new one keeps its party, account, site and status, so that what
    was frozen stays frozen. The same details again change nothing. Raises NoSuchAccount, AccountClosed or
    BankDetailsUnfit.
    """
    _check(details)
    account = locked_open_account(account_id)
    old = live_identity(account, method)
    if old is not None and _details_of(old) == details:
        return old
    if old is None:
        new = _first(account, method, at=at)
    elif _details_of(old) == BankDetails("", "", ""):
        # The ledger knows the account already, and nothing was ever drawn from a bank: the row is filled in.
        new = old
    else:
        new = _successor(old, at=at)
    new.bank_number = details.bank_number
    new.bank_branch_number = details.bank_branch_number
    new.bank_account_number = details.bank_account_number
    new.save()
    before = None if old is None or old is new else _shown(old)
    record_entry(
        actor=actor,
        action="account.bank-details-set",
        subject=account,
        before=before,
        after=_shown(new),
        reason=reason,
        at=at,
    )
    return new


@unit_of_work
def ensure_identity(account_id: int, *, method: str, actor: Actor, reason: str = "", at: datetime) -> LedgerIdentity:
    """The live identity of the account for a method that needs no bank details, such as EFT; a pending one if new.

    Raises NoSuchAccount or AccountClosed.
    """
    account = locked_open_account(account_id)
    identity = live_identity(account, method)
    if identity is not None:
        return identity
    identity = _first(account, method, at=at)
    identity.save(force_insert=True)
    record_entry(
        actor=actor, action="account.identity-added", subject=account, after=_shown(identity), reason=reason, at=at
    )
    return identity


@unit_of_work
def accept_pad_terms(
    account_id: int, *, accepted_by: str, actor: Actor, reason: str = "", at: datetime
) -> PaymentAccount:
    """Records who accepted the terms of pre-authorised debit; the waiting time before the first debit begins.

    The same person again changes nothing. Raises NoSuchAccount, AccountClosed, BankDetailsMissing or
    TermsAcceptedBefore.
    """
    account = locked_open_account(account_id)
    if account.pad_terms_accepted_at is not None:
        if account.pad_terms_accepted_by == accepted_by:
            return account
        raise TermsAcceptedBefore(
            f"{account.pad_terms_accepted_by} accepted the terms for {account.account_number} before.",
            ids=[account.pk],
        )
    _identity_with_bank(account)
    account.pad_terms_accepted_at = at
    account.pad_terms_accepted_by = accepted_by
    account.pad_activates_at = first_debit_at(
        at, waiting_days=settings.PAD_CONFIRMATION_DAYS, zone=settings.LEDGER_ZONE
    )
    account.save(update_fields=["pad_terms_accepted_at", "pad_terms_accepted_by", "pad_activates_at"])
    after = {"accepted_by": accepted_by, "pad_activates_at": account.pad_activates_at}
    record_entry(actor=actor, action="account.debit-terms-accepted", subject=account, after=after, reason=reason, at=at)
    return account


@unit_of_work
def record_ledger_numbers(
    identity_id: int,
    *,
    party: str,
    ledger_account: str,
    site: str,
    payment_instrument_number: str = "",
    contact_party: str = "",
    actor: Actor,
    reason: str = "",
    at: datetime,
) -> LedgerIdentity:
    """Notes under which numbers the ledger knows the account. A pending identity becomes active, or waits for the day.

    For PAD it waits (PENDING_PAD_ACTIVATION) until `activate_pad`. Raises NoSuchIdentity, or IllegalIdentityMove for
    one that is retired.
    """
    account, identity = _locked_with_account(identity_id)
    if identity.is_final:
        identity._move_to(IdentityStatus.ACTIVE, at=at)
    before = _shown(identity)
    identity.party, identity.ledger_account, identity.site = party, ledger_account, site
    identity.payment_instrument_number, identity.contact_party = payment_instrument_number, contact_party
    if identity.status == IdentityStatus.PENDING:
        identity._move_to(_unstopped(account, identity, at), at=at)
    identity.save()
    _record(account, "account.ledger-numbers-recorded", identity, before, actor=actor, reason=reason, at=at)
    return identity


@unit_of_work
def activate_pad(account_id: int, *, actor: Actor, reason: str = "", at: datetime) -> LedgerIdentity:
    """Makes the account's PAD identity active once the waiting time has passed; an active one stays as it is.

    Raises NoSuchAccount, AccountClosed, BankDetailsMissing, DebitNotDue, or IllegalIdentityMove when it is frozen.
    """
    account = locked_open_account(account_id)
    identity = _identity_with_bank(account)
    if identity.status == IdentityStatus.ACTIVE:
        return identity
    if not _may_debit(account, at):
        when = "the terms are not accepted yet"
        if account.pad_activates_at is not None:
            when = f"the first day is {account.pad_activates_at.astimezone(settings.LEDGER_ZONE):%Y-%m-%d}"
        raise DebitNotDue(f"{account.account_number} cannot be debited yet: {when}.", ids=[account.pk])
    if identity.status == IdentityStatus.PENDING:
        raise DebitNotDue(f"{account.account_number} cannot be debited yet: the ledger does not know it.")
    if identity.status == IdentityStatus.FREEZE:
        raise LockStands(f"The PAD identity of {account.account_number} is frozen.", ids=[identity.pk])
    before = _shown(identity)
    identity._move_to(IdentityStatus.ACTIVE, at=at)
    identity.save(update_fields=["status", "status_since"])
    _record(account, "account.debits-activated", identity, before, actor=actor, reason=reason, at=at)
    return identity


@unit_of_work
def freeze_identity(identity_id: int, *, actor: Actor, reason: str, at: datetime) -> LedgerIdentity:
    """Stops collecting; a frozen identity stays as it is. Raises NoSuchIdentity or IllegalIdentityMove."""
    account, identity = _locked_with_account(identity_id)
    if identity.status == IdentityStatus.FREEZE:
        return identity
    return _move(account, identity, IdentityStatus.FREEZE, "account.debits-frozen", actor=actor, reason=reason, at=at)


@unit_of_work
def unfreeze_identity(identity_id: int, *, actor: Actor, reason: str, at: datetime) -> LedgerIdentity:
    """Stops stopping: the identity is where it would be by now; one that is not frozen stays as it is.

    Raises NoSuchIdentity, IllegalIdentityMove for one that is retired, or LockStands while an NSF lock of the account
    is not lifted.
    """
    account, identity = _locked_with_account(identity_id)
    if identity.status != IdentityStatus.FREEZE and not identity.is_final:
        return identity
    if account.locks.filter(kind=LockKind.NSF, lifted_at__isnull=True).exists():
        raise LockStands(f"{account.account_number} is locked (NSF).", ids=[account.pk])
    target = _unstopped(account, identity, at)
    return _move(account, identity, target, "account.debits-unfrozen", actor=actor, reason=reason, at=at)


@unit_of_work
def reveal_bank_account(identity_id: int, *, actor: Actor, reason: str, at: datetime) -> str:
    """The bank account number whole, for somebody who gave a reason: the audit keeps who, when and why, not the number.

    The door asks for the permission accounts.reveal_bank_account. Raises NoSuchIdentity or BankDetailsMissing.
    """
    account, identity = _locked_with_account(identity_id)
    if not identity.bank_account_number:
        raise BankDetailsMissing(f"{account.account_number} has no bank details for {identity.payment_method}.")
    record_entry(
        actor=actor,
        action="account.bank-account-revealed",
        subject=account,
        after={"identity": identity.pk, "bank_account": identity.masked_bank_account},
        reason=reason,
        at=at,
    )
    return identity.bank_account_number


@inside_unit_of_work
def freeze_for_lock(account: PaymentAccount, *, at: datetime) -> LedgerIdentity | None:
    """Stops debits of a locked account, also while its identity still waits. None when there is nothing to stop."""
    identity = live_identity(account, Method.PAD)
    if identity is None or identity.status == IdentityStatus.FREEZE:
        return None
    identity._move_to(IdentityStatus.FREEZE, at=at)
    identity.save(update_fields=["status", "status_since"])
    return identity


@inside_unit_of_work
def unfreeze_after_lock(account: PaymentAccount, *, at: datetime) -> LedgerIdentity | None:
    """Thaws the debits once the lock is lifted: they wait on where they waited. None when nothing was frozen."""
    identity = live_identity(account, Method.PAD)
    if identity is None or identity.status != IdentityStatus.FREEZE:
        return None
    identity._move_to(_unstopped(account, identity, at), at=at)
    identity.save(update_fields=["status", "status_since"])
    return identity


@inside_unit_of_work
def retire_identities(account: PaymentAccount, *, at: datetime) -> int:
    """Retires every live identity of an account that is being closed; gives how many."""
    live = LedgerIdentity.objects.live().filter(account=account).values_list("pk", flat=True)
    identities = LedgerIdentity.objects.lock(live)
    for identity in identities:
        identity._move_to(IdentityStatus.INACTIVE, at=at)
        identity.save(update_fields=["status", "status_since"])
    return len(identities)


def _move(
    account: PaymentAccount,
    identity: LedgerIdentity,
    target: IdentityStatus,
    action: str,
    *,
    actor: Actor,
    reason: str,
    at: datetime,
) -> LedgerIdentity:
    before = _shown(identity)
    identity._move_to(target, at=at)
    identity.save(update_fields=["status", "status_since"])
    _record(account, action, identity, before, actor=actor, reason=reason, at=at)
    return identity


def _first(account: PaymentAccount, method: str, *, at: datetime) -> LedgerIdentity:
    is_locked = method == Method.PAD and account.locks.filter(kind=LockKind.NSF, lifted_at__isnull=True).exists()
    status = IdentityStatus.FREEZE if is_locked else IdentityStatus.PENDING
    return LedgerIdentity(account=account, payment_method=method, status=status, status_since=at)


def _successor(old: LedgerIdentity, *, at: datetime) -> LedgerIdentity:
    status = old.status
    old._move_to(IdentityStatus.INACTIVE, at=at)
    old.save(update_fields=["status", "status_since"])
    return LedgerIdentity(
        account=old.account,
        payment_method=old.payment_method,
        party=old.party,
        ledger_account=old.ledger_account,
        site=old.site,
        contact_party=old.contact_party,
        status=status,
        status_since=at,
    )


def _locked_with_account(identity_id: int) -> tuple[PaymentAccount, LedgerIdentity]:
    account_id = LedgerIdentity.objects.filter(pk=identity_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NoSuchIdentity(f"There is no ledger identity {identity_id}.")
    account = locked_account(account_id)
    return account, LedgerIdentity.objects.lock([identity_id])[0]


def _identity_with_bank(account: PaymentAccount) -> LedgerIdentity:
    identity = live_identity(account, Method.PAD)
    if identity is None or not identity.bank_account_number:
        raise BankDetailsMissing(f"{account.account_number} has no bank details for PAD.", ids=[account.pk])
    return identity


def _unstopped(account: PaymentAccount, identity: LedgerIdentity, at: datetime) -> IdentityStatus:
    """Where the identity stands when nothing stops it: a lock that is lifted shortens nobody's waiting time."""
    if not identity.ledger_account:
        return IdentityStatus.PENDING
    if identity.payment_method == Method.PAD and not _may_debit(account, at):
        return IdentityStatus.PENDING_PAD_ACTIVATION
    return IdentityStatus.ACTIVE


def _may_debit(account: PaymentAccount, at: datetime) -> bool:
    return account.pad_activates_at is not None and account.pad_activates_at <= at


def _details_of(identity: LedgerIdentity) -> BankDetails:
    return BankDetails(identity.bank_number, identity.bank_branch_number, identity.bank_account_number)


def _check(details: BankDetails) -> None:
    """Says what is wrong with which field, and never repeats what was given."""
    rules = (
        ("bank_number", BANK_NUMBER, details.bank_number, "The bank has 3 or 4 digits."),
        ("bank_branch_number", BRANCH_NUMBER, details.bank_branch_number, "The branch has 5 digits."),
        ("bank_account_number", ACCOUNT_NUMBER, details.bank_account_number, "The account has 5 to 17 digits."),
    )
    errors = tuple(
        FieldError(field, "format", sentence)
        for field, pattern, given, sentence in rules
        if not re.fullmatch(pattern, given, re.ASCII)
    )
    if errors:
        raise BankDetailsUnfit(" ".join(error.message for error in errors), errors=errors)


def _shown(identity: LedgerIdentity) -> dict[str, object]:
    """What the audit keeps of an identity: its bank account by the last digits alone."""
    return {
        "identity": identity.pk,
        "method": identity.payment_method,
        "status": identity.status,
        "bank_account": identity.masked_bank_account,
    }


def _record(
    account: PaymentAccount,
    action: str,
    identity: LedgerIdentity,
    before: dict[str, object],
    *,
    actor: Actor,
    reason: str,
    at: datetime,
) -> None:
    record_entry(
        actor=actor, action=action, subject=account, before=before, after=_shown(identity), reason=reason, at=at
    )
