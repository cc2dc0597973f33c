"""Locks of accounts: set once a kind, with the cause, and lifted with a reason."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from accounts.models import AccountLock, PaymentAccount
from accounts.operations.finding import locked_account, locked_open_account
from accounts.operations.identities import freeze_for_lock, unfreeze_after_lock
from accounts.states import LockKind
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, NotFound
from kernel.transactions import inside_unit_of_work, unit_of_work


class NoSuchLock(NotFound):
    """There is no such lock."""

    code = "unknown-account-lock"


class LockLifted(Conflict):
    """The lock was lifted before."""

    code = "account-lock-lifted"
    title = "The lock is lifted already"


class Locking(NamedTuple):
    """The live lock, and whether this call made it."""

    lock: AccountLock
    is_new: bool


@inside_unit_of_work
def lock_account(
    account_id: int, *, kind: str, cause: str, invoice_id: int | None = None, actor: Actor, at: datetime
) -> Locking:
    """Locks the account for this kind of cause; one that is locked so already keeps its lock, and is_new is False.

    An NSF lock also freezes the account's PAD identity. Raises NoSuchAccount or AccountClosed.
    """
    account = locked_open_account(account_id)
    live = AccountLock.objects.live().filter(account=account, kind=kind).first()
    if live is not None:
        return Locking(live, is_new=False)
    lock = AccountLock.objects.create(
        account=account, kind=LockKind(kind), cause=cause, invoice_id=invoice_id, locked_at=at, locked_by=actor.name
    )
    frozen = freeze_for_lock(account, at=at) if kind == LockKind.NSF else None
    record_entry(
        actor=actor,
        action="account.locked",
        subject=account,
        after={
            "kind": lock.kind,
            "cause": cause,
            "invoice_id": invoice_id,
            "frozen_identity": None if frozen is None else frozen.pk,
        },
        reason=cause,
        at=at,
    )
    return Locking(lock, is_new=True)


@unit_of_work
def lock_by_hand(account_id: int, *, kind: str, cause: str, actor: Actor, at: datetime) -> Locking:
    """As `lock_account`, in a unit of work of its own; for staff."""
    return lock_account(account_id, kind=kind, cause=cause, actor=actor, at=at)


@unit_of_work
def lift_lock(lock_id: int, *, actor: Actor, reason: str, at: datetime) -> AccountLock:
    """Lifts a lock; with the NSF lock the account's PAD identity thaws.

    Raises NoSuchLock, or LockLifted saying by whom and why.
    """
    account_id = AccountLock.objects.filter(pk=lock_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NoSuchLock(f"There is no lock {lock_id}.")
    account = locked_account(account_id)
    lock = AccountLock.objects.lock([lock_id])[0]
    if not lock.is_live:
        raise LockLifted(f"{lock.lifted_by} lifted it before: {lock.lifted_reason}", ids=[lock.pk])
    return _lift(account, lock, actor=actor, reason=reason, at=at)


@inside_unit_of_work
def release_account(account_id: int, *, kind: str, actor: Actor, reason: str, at: datetime) -> AccountLock | None:
    """Lifts the account's live lock of this kind, as a step: for whoever records that what was owed is paid.

    None when there is no such lock. Raises NoSuchAccount.
    """
    account = locked_account(account_id)
    live = AccountLock.objects.live().filter(account=account, kind=kind).values_list("pk", flat=True)
    locks = AccountLock.objects.lock(live)
    return _lift(account, locks[0], actor=actor, reason=reason, at=at) if locks else None


def _lift(account: PaymentAccount, lock: AccountLock, *, actor: Actor, reason: str, at: datetime) -> AccountLock:
    lock.lifted_at, lock.lifted_by, lock.lifted_reason = at, actor.name, reason
    lock.save(update_fields=["lifted_at", "lifted_by", "lifted_reason"])
    thawed = unfreeze_after_lock(account, at=at) if lock.kind == LockKind.NSF else None
    record_entry(
        actor=actor,
        action="account.lock-lifted",
        subject=account,
        before={"kind": lock.kind, "cause": lock.cause, "locked_at": lock.locked_at, "locked_by": lock.locked_by},
        after={"unfrozen_identity": None if thawed is None else thawed.pk},
        reason=reason,
        at=at,
    )
    return lock
