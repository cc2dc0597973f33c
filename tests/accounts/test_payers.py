from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts import closing
from accounts.models import LedgerIdentity, PaymentAccount
from accounts.operations import (
    AccountClosed,
    AccountDetails,
    AccountKnown,
    AccountNotClosable,
    AccountUnfit,
    NoSuchAccount,
    ReferenceUnknown,
    change_account,
    change_default_method,
    close_account,
    freeze_identity,
    lift_lock,
    lock_by_hand,
    open_account,
    set_bank_details,
)
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, DETAILS, a_gl_code, a_pad_account, an_account, at_once

pytestmark = pytest.mark.django_db
CARD = AccountDetails(name="Cedar Supply", payment_method="DIRECT_PAY")


@pytest.fixture
def hindrance() -> Iterator[list[str]]:
    found: list[str] = []
    closing.register_hindrance("test", lambda account, at: found)
    yield found
    closing.register_hindrance("test", lambda account, at: [])


def open_it(details: AccountDetails = CARD, number: str = "A-1") -> Any:
    return open_account(number, details, actor=ACTOR, reason="Contract 7", at=AT)


def test_an_account_is_opened_with_the_frequency_of_its_method_and_audited() -> None:
    opening = open_it()

    account = PaymentAccount.objects.get()
    assert opening == (account, True)
    assert (account.account_number, account.name, account.statement_frequency) == ("A-1", "Cedar Supply", "WEEKLY")
    assert (account.created_at, account.closed_at, account.billable) == (AT, None, True)
    entry: Any = AuditEntry.objects.about(account).get()
    assert (entry.action, entry.reason, entry.actor) == ("account.opened", "Contract 7", "test")
    assert (entry.after["account_number"], entry.after["payment_method"]) == ("A-1", "DIRECT_PAY")


def test_opening_the_same_account_again_changes_nothing() -> None:
    first = open_it()

    again = open_it()

    assert (again.account, again.is_new) == (first.account, False)
    assert PaymentAccount.objects.count() == AuditEntry.objects.count() == 1


def test_a_known_number_with_other_details_is_a_conflict_that_shows_the_difference() -> None:
    account = open_it().account

    with pytest.raises(AccountKnown) as conflict:
        open_it(replace(CARD, name="Other"))

    assert conflict.value.context == {
        "ids": [account.pk],
        "difference": [{"field": "name", "recorded": "Cedar Supply", "received": "Other"}],
    }
    assert PaymentAccount.objects.get().name == "Cedar Supply"


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (replace(CARD, name="  "), "name"),
        (replace(CARD, payment_method="CHEQUE"), "payment_method"),
        (replace(CARD, statement_frequency="YEARLY"), "statement_frequency"),
        (replace(CARD, payment_method="EFT"), "eft_enabled"),
        (replace(CARD, payment_method="EFT", eft_enabled=True, statement_frequency="WEEKLY"), "statement_frequency"),
        (replace(CARD, payment_method="EJV"), "journal_gl"),
    ],
)
def test_details_that_do_not_fit_together_open_nothing(details: AccountDetails, field: str) -> None:
    with pytest.raises(AccountUnfit) as refusal:
        open_it(details)

    assert [error.field for error in refusal.value.errors] == [field]
    assert PaymentAccount.objects.count() == AuditEntry.objects.count() == 0


def test_an_account_needs_a_number() -> None:
    with pytest.raises(AccountUnfit, match="a number"):
        open_it(number=" ")

    assert PaymentAccount.objects.count() == 0


def test_a_general_ledger_code_that_is_not_there_is_refused() -> None:
    with pytest.raises(ReferenceUnknown, match="no GL code 404"):
        open_it(replace(CARD, payment_method="EJV", journal_gl_id=404))

    assert PaymentAccount.objects.count() == 0


def test_a_government_account_pays_from_its_own_general_ledger_code_or_is_settled_outside() -> None:
    billed = open_it(replace(CARD, payment_method="EJV", journal_gl_id=a_gl_code().pk)).account
    outside = open_it(replace(CARD, payment_method="EJV", billable=False), "A-2").account

    assert (billed.journal_gl.name, outside.journal_gl) == ("A ministry", None)


def test_a_change_writes_and_audits_only_what_changed() -> None:
    account = open_it().account

    change_account(
        account.pk, replace(AccountDetails.of(account), branch_name="North"), actor=ACTOR, reason="Moved", at=AT
    )
    change_account(account.pk, replace(AccountDetails.of(account), branch_name="North"), actor=ACTOR, at=AT)

    account.refresh_from_db()
    assert account.branch_name == "North"
    entry = AuditEntry.objects.get(action="account.changed")
    assert (entry.before, entry.after, entry.reason) == ({"branch_name": ""}, {"branch_name": "North"}, "Moved")


def test_another_default_method_brings_its_own_statement_frequency() -> None:
    account = an_account(eft_enabled=True)

    to_eft = change_default_method(account.pk, "EFT", actor=ACTOR, at=AT)
    assert (to_eft.payment_method, to_eft.statement_frequency) == ("EFT", "MONTHLY")
    back = change_default_method(account.pk, "DIRECT_PAY", actor=ACTOR, at=AT)
    assert (back.payment_method, back.statement_frequency) == ("DIRECT_PAY", "WEEKLY")
    change_default_method(account.pk, "DIRECT_PAY", actor=ACTOR, at=AT)

    assert AuditEntry.objects.filter(action="account.changed").count() == 2


def test_eft_is_refused_as_default_until_it_is_enabled() -> None:
    account = an_account()

    with pytest.raises(AccountUnfit, match="Enable EFT"):
        change_default_method(account.pk, "EFT", actor=ACTOR, at=AT)

    account.refresh_from_db()
    assert account.payment_method == "DIRECT_PAY"


def test_the_database_itself_keeps_eft_accounts_monthly_and_methods_known() -> None:
    for fields in ({"payment_method": "EFT"}, {"payment_method": "CHEQUE"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            PaymentAccount.objects.create(account_number="A-1", name="Cedar", **fields)


def test_a_closed_account_keeps_its_rows_and_changes_no_more() -> None:
    account, identity = a_pad_account()

    close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT)
    again = close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT + timedelta(days=1))

    assert again.closed_at == AT
    identity.refresh_from_db()
    assert (identity.status, identity.status_since) == ("INACTIVE", AT)
    entry: Any = AuditEntry.objects.get(action="account.closed")
    assert (entry.reason, entry.after["identities_retired"]) == ("Out of business", 1)
    with pytest.raises(AccountClosed):
        change_default_method(account.pk, "EFT", actor=ACTOR, at=AT)
    with pytest.raises(AccountClosed):
        set_bank_details(account.pk, DETAILS, actor=ACTOR, at=AT)
    with pytest.raises(AccountKnown, match="is closed"):
        open_account(account.account_number, AccountDetails.of(account), actor=ACTOR, at=AT)


def test_a_locked_account_is_not_closed_before_the_lock_is_lifted() -> None:
    account, _ = a_pad_account()
    lock = lock_by_hand(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT).lock

    with pytest.raises(AccountNotClosable) as refusal:
        close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT)

    assert refusal.value.context["hindrances"] == [
        "It is locked: Not sufficient funds (NSF).",
        "Its debits are frozen.",
    ]
    account.refresh_from_db()
    assert account.closed_at is None
    assert LedgerIdentity.objects.live().count() == 1
    lift_lock(lock.pk, actor=ACTOR, reason="Paid", at=AT)
    assert close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT).closed_at == AT


def test_an_account_whose_debits_are_frozen_is_not_closed() -> None:
    account, identity = a_pad_account()
    freeze_identity(identity.pk, actor=ACTOR, reason="Asked by the bank", at=AT)

    with pytest.raises(AccountNotClosable, match=r"^Its debits are frozen\.$"):
        close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT)


def test_apps_above_may_stand_in_the_way_of_closing(hindrance: list[str]) -> None:
    account = an_account()
    hindrance.append("Two invoices are open.")

    with pytest.raises(AccountNotClosable, match=r"Two invoices are open\."):
        close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT)
    account.refresh_from_db()
    assert account.closed_at is None
    hindrance.clear()
    assert close_account(account.pk, actor=ACTOR, reason="Out of business", at=AT).is_closed


def test_an_account_that_is_not_there_is_refused() -> None:
    with pytest.raises(NoSuchAccount):
        close_account(404, actor=ACTOR, reason="Nothing", at=AT)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_open_the_same_account_at_once_exactly_one_does() -> None:
    outcomes = at_once(open_it)

    assert sorted(outcome.is_new for outcome in outcomes) == [False] * 7 + [True]
    assert PaymentAccount.objects.count() == AuditEntry.objects.count() == 1
