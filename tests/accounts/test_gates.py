from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.gates import EXEMPT_FROM_LOCKS, refusals
from accounts.models import AccountLock, LedgerIdentity, PaymentAccount
from accounts.states import IdentityStatus, LockKind, Method
from tests.accounts.payers import AT

EVERY_METHOD = (*Method, "NO_FEE", "ROUTING_SLIP")
LATER, EARLIER = AT + timedelta(seconds=1), AT - timedelta(seconds=1)


def codes(payer: PaymentAccount, method: str, *, locks: Any = (), identity: LedgerIdentity | None = None) -> list[str]:
    return [gate.code for gate in refusals(payer, method, locks=locks, identity=identity, at=AT)]


def account(**fields: Any) -> PaymentAccount:
    set_up = {"eft_enabled": True, "pad_activates_at": EARLIER, "journal_gl_id": 7}
    return PaymentAccount(account_number="A-1", **(set_up | fields))


def lock(kind: LockKind, **fields: Any) -> AccountLock:
    return AccountLock(kind=kind.value, **fields)


ACTIVE = LedgerIdentity(status=IdentityStatus.ACTIVE)


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_nothing_stands_before_an_open_account_that_is_set_up(method: str) -> None:
    assert codes(account(), method, identity=ACTIVE) == []


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_a_closed_account_orders_nothing_by_any_method(method: str) -> None:
    locks = [lock(LockKind.NSF)]

    assert codes(account(closed_at=AT), method, locks=locks, identity=ACTIVE) == ["ACCOUNT_CLOSED"]
    assert codes(account(closed_at=LATER), method, identity=ACTIVE) == []


@pytest.mark.parametrize("method", EVERY_METHOD)
@pytest.mark.parametrize(
    ("kind", "code"), [(LockKind.NSF, "PAD_CURRENTLY_NSF"), (LockKind.OVERDUE_EFT, "EFT_INVOICES_OVERDUE")]
)
def test_a_live_lock_stands_before_every_method_but_those_that_staff_or_the_debt_itself_needs(
    method: str, kind: LockKind, code: str
) -> None:
    found = codes(account(), method, locks=[lock(kind)], identity=ACTIVE)

    assert found == ([] if method in EXEMPT_FROM_LOCKS else [code])
    assert frozenset({"INTERNAL", "CC", "NO_FEE", "ROUTING_SLIP"}) == EXEMPT_FROM_LOCKS


def test_a_lock_and_the_debits_that_it_froze_are_told_once() -> None:
    frozen = LedgerIdentity(status=IdentityStatus.FREEZE)

    [gate] = refusals(account(), "PAD", locks=[lock(LockKind.NSF)], identity=frozen, at=AT)

    assert gate.code == "PAD_CURRENTLY_NSF"
    assert gate.message.startswith("A debit of the account bounced")


def test_a_lifted_lock_stands_before_nothing() -> None:
    assert codes(account(), "DIRECT_PAY", locks=[lock(LockKind.NSF, lifted_at=EARLIER)]) == []


def test_both_locks_are_told() -> None:
    locks = [lock(LockKind.OVERDUE_EFT), lock(LockKind.NSF)]

    assert codes(account(), "EFT", locks=locks) == ["PAD_CURRENTLY_NSF", "EFT_INVOICES_OVERDUE"]


@pytest.mark.parametrize(
    ("status", "activates_at", "expected"),
    [
        (IdentityStatus.PENDING_PAD_ACTIVATION, EARLIER, ["PAD_NOT_ACTIVE"]),
        (IdentityStatus.ACTIVE, LATER, ["PAD_NOT_ACTIVE"]),
        (IdentityStatus.PENDING, LATER, ["PAD_NOT_ACTIVE"]),
        (IdentityStatus.ACTIVE, AT, []),
        (IdentityStatus.PENDING, EARLIER, []),
        (IdentityStatus.FREEZE, EARLIER, ["PAD_CURRENTLY_NSF"]),
        (IdentityStatus.ACTIVE, None, ["PAD_NOT_ACTIVE"]),
        (IdentityStatus.PENDING, None, ["PAD_NOT_ACTIVE"]),
    ],
)
def test_a_debit_waits_for_its_activation(status: IdentityStatus, activates_at: Any, expected: list[str]) -> None:
    assert codes(account(pad_activates_at=activates_at), "PAD", identity=LedgerIdentity(status=status)) == expected


def test_a_debit_needs_bank_details_and_accepted_terms() -> None:
    assert codes(account(), "PAD") == ["PAD_NOT_ACTIVE"]

    [gate] = refusals(account(pad_activates_at=None), "PAD", locks=[], identity=ACTIVE, at=AT)

    assert gate.message.endswith("nobody has accepted its terms.")


def test_what_stands_before_debits_stands_before_no_other_method() -> None:
    waiting = account(pad_activates_at=LATER)

    for method in EVERY_METHOD:
        expected = ["PAD_NOT_ACTIVE"] if method == "PAD" else []
        assert codes(waiting, method, identity=LedgerIdentity(status="PENDING_PAD_ACTIVATION")) == expected


def test_eft_has_to_be_enabled_and_only_for_eft() -> None:
    assert codes(account(eft_enabled=False), "EFT") == ["EFT_NOT_ENABLED"]
    assert codes(account(eft_enabled=False), "DIRECT_PAY") == []


def test_a_journal_voucher_needs_the_customers_own_code_unless_it_is_settled_outside() -> None:
    assert codes(account(journal_gl_id=None), "EJV") == ["JOURNAL_NOT_SET_UP"]
    assert codes(account(journal_gl_id=None), "DIRECT_PAY") == []
    assert codes(account(journal_gl_id=None, billable=False), "EJV") == []
    assert codes(account(journal_gl_id=None, journal_restricted=True), "EJV") == ["JOURNAL_RESTRICTED"]


def test_a_restriction_of_journal_vouchers_stands_before_these_alone() -> None:
    assert codes(account(journal_restricted=True), "EJV") == ["JOURNAL_RESTRICTED"]
    assert codes(account(journal_restricted=True), "DIRECT_PAY") == []


def test_every_refusal_says_what_to_do() -> None:
    [gate] = refusals(account(), "PAD", locks=[], identity=None, at=AT)

    assert gate.message.endswith(".")
    assert gate.next_step.endswith(".")
