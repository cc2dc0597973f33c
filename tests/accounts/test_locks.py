from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import AccountLock, PaymentAccount
from accounts.operations import (
    AccountClosed,
    Locking,
    LockLifted,
    NoSuchAccount,
    NoSuchLock,
    close_account,
    lift_lock,
    lock_account,
    lock_by_hand,
    release_account,
)
from kernel.audit.models import AuditEntry
from kernel.transactions import TransactionMisuse, unit_of_work
from tests.accounts.payers import ACTOR, AT, a_pad_account, an_account, at_once

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(days=10)


def lock_it(account: PaymentAccount, kind: str = "NSF", **fields: Any) -> Locking:
    return unit_of_work(lock_account)(account.pk, kind=kind, cause="Funds not cleared", actor=ACTOR, at=AT, **fields)


def test_an_nsf_lock_keeps_its_cause_and_freezes_the_debits() -> None:
    account, identity = a_pad_account()

    lock, is_new = lock_it(account, invoice_id=9)

    assert is_new
    assert (lock.kind, lock.cause, lock.invoice_id, lock.locked_at) == ("NSF", "Funds not cleared", 9, AT)
    assert (lock.locked_by, lock.is_live) == ("test", True)
    identity.refresh_from_db()
    assert identity.status == "FREEZE"
    assert list(PaymentAccount.objects.locked_now()) == [account]
    entry = AuditEntry.objects.get(action="account.locked")
    assert entry.reason == "Funds not cleared"
    assert entry.after == {
        "kind": "NSF",
        "cause": "Funds not cleared",
        "invoice_id": 9,
        "frozen_identity": identity.pk,
    }


def test_locking_again_keeps_the_first_lock() -> None:
    account, _ = a_pad_account()
    first = lock_it(account)

    again = lock_it(account, invoice_id=10)

    assert (again.lock, again.is_new) == (first.lock, False)
    assert again.lock.invoice_id is None
    assert AccountLock.objects.count() == AuditEntry.objects.filter(action="account.locked").count() == 1


def test_an_overdue_lock_stands_beside_an_nsf_lock_and_freezes_nothing() -> None:
    account, identity = a_pad_account()

    assert lock_it(account, "OVERDUE_EFT").is_new
    identity.refresh_from_db()
    assert identity.status == "PENDING_PAD_ACTIVATION"
    assert lock_it(account).is_new
    assert AccountLock.objects.live().count() == 2


def test_lifting_says_why_and_thaws_the_debits() -> None:
    account, identity = a_pad_account()
    lock = lock_it(account).lock

    lifted = lift_lock(lock.pk, actor=ACTOR, reason="Paid by card", at=LATER)

    assert (lifted.lifted_at, lifted.lifted_by, lifted.lifted_reason) == (LATER, "test", "Paid by card")
    identity.refresh_from_db()
    assert identity.status == "ACTIVE"
    assert AccountLock.objects.live().count() == PaymentAccount.objects.locked_now().count() == 0
    entry: Any = AuditEntry.objects.get(action="account.lock-lifted")
    assert (entry.before["cause"], entry.after) == ("Funds not cleared", {"unfrozen_identity": identity.pk})


def test_a_lifted_lock_is_not_lifted_again() -> None:
    lock = lock_it(an_account()).lock
    lift_lock(lock.pk, actor=ACTOR, reason="Paid by card", at=LATER)

    with pytest.raises(LockLifted, match="test lifted it before: Paid by card"):
        lift_lock(lock.pk, actor=ACTOR, reason="Again", at=LATER)

    lock.refresh_from_db()
    assert lock.lifted_reason == "Paid by card"


def test_a_lifted_account_can_be_locked_anew() -> None:
    account = an_account()
    lift_lock(lock_it(account).lock.pk, actor=ACTOR, reason="Paid", at=LATER)

    assert lock_it(account).is_new
    assert AccountLock.objects.count() == 2


def test_whoever_records_the_payment_releases_the_account_in_the_same_unit_of_work() -> None:
    account, identity = a_pad_account()
    lock_it(account)
    release = unit_of_work(release_account)

    released = release(account.pk, kind="NSF", actor=ACTOR, reason="Paid by card", at=LATER)

    assert released is not None
    identity.refresh_from_db()
    assert (released.lifted_at, identity.status) == (LATER, "ACTIVE")
    assert release(account.pk, kind="NSF", actor=ACTOR, reason="Paid by card", at=LATER) is None
    with pytest.raises(TransactionMisuse):
        release_account(account.pk, kind="NSF", actor=ACTOR, reason="Paid", at=LATER)
    with pytest.raises(TransactionMisuse):
        lock_account(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)


def test_what_is_not_there_or_closed_is_not_locked() -> None:
    account = an_account()
    close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT)

    with pytest.raises(AccountClosed):
        lock_by_hand(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)
    with pytest.raises(NoSuchAccount):
        lock_by_hand(404, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)
    with pytest.raises(NoSuchLock):
        lift_lock(404, actor=ACTOR, reason="Paid", at=AT)

    assert AccountLock.objects.count() == 0


def test_the_database_keeps_a_lock_with_its_cause_and_its_lifting_with_a_reason() -> None:
    account = an_account()
    good = {"account": account, "kind": "NSF", "cause": "Bounced", "locked_at": AT, "locked_by": "pat"}

    for bad in ({"cause": ""}, {"locked_by": ""}, {"kind": "OTHER"}, {"lifted_at": LATER}, {"lifted_by": "pat"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            AccountLock.objects.create(**(good | bad))

    AccountLock.objects.create(**good)
    with pytest.raises(IntegrityError, match="account_lock_one_live"), transaction.atomic():
        AccountLock.objects.create(**good)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_lock_at_once_exactly_one_does() -> None:
    account, _ = a_pad_account()

    outcomes = at_once(lambda: lock_it(account))

    assert sorted(outcome.is_new for outcome in outcomes) == [False] * 7 + [True]
    assert AccountLock.objects.count() == AuditEntry.objects.filter(action="account.locked").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_lift_at_once_exactly_one_does() -> None:
    lock = lock_it(an_account()).lock

    outcomes = at_once(lambda: lift_lock(lock.pk, actor=ACTOR, reason="Paid", at=LATER))

    assert sum(isinstance(outcome, LockLifted) for outcome in outcomes) == 7
    assert AuditEntry.objects.filter(action="account.lock-lifted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_closing_and_locking_at_once_never_leave_a_closed_account_locked() -> None:
    account, _ = a_pad_account()
    deeds: list[Any] = [lock_it, lambda it: close_account(it.pk, actor=ACTOR, reason="Out", at=AT)]
    chosen = deeds * 4

    at_once(lambda: chosen.pop()(account))

    account.refresh_from_db()
    assert account.is_closed != AccountLock.objects.live().exists()
