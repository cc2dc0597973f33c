"""What can be done on an account's page: by whom, when, and with which effect."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import AccountFee, AccountLock, LedgerIdentity, PaymentAccount
from accounts.operations import close_account, lock_by_hand
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, BANK_ACCOUNT, a_fee_code, a_pad_account, a_product, an_account
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/accounts/paymentaccount/"
BANK = {"bank_number": "004", "bank_branch_number": "00130", "bank_account_number": "99887766"}
DETAILS = {
    "name": "Renamed",
    "branch_name": "",
    "payment_method": "DIRECT_PAY",
    "statement_frequency": "",
    "journal_gl": "",
    "billable": "on",
    "prepaid_user_id": "",
    "prepaid_account": "",
}


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


def page_of(account: PaymentAccount) -> str:
    return f"{LIST}{account.pk}/change/"


def act(client: Client, account: PaymentAccount, action: str, **answers: Any) -> Any:
    given = {"confirmed": "yes", "reason": "Ticket 7"} | answers
    return client.post(f"{LIST}{account.pk}/{action}/", given)


def offered(client: Client, account: PaymentAccount) -> list[str]:
    return [allowed.title for allowed in client.get(page_of(account)).context["allowed"]]


def test_only_what_is_possible_now_is_offered(operator: Client, administrator: Client) -> None:
    card, (debited, _) = an_account("A-1"), a_pad_account("A-2")
    lock_by_hand(debited.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)

    assert offered(operator, card) == ["Lock", "Set bank details", "Change default method", "Change details"]
    assert offered(operator, debited) == [
        "Lift a lock",
        "Lock",
        "Set bank details",
        "Show the bank account number",
        "Change default method",
        "Change details",
    ]
    assert offered(administrator, card) == ["Change default method", "Change details", "Charge differently", "Close"]
    close_account(card.pk, actor=ACTOR, reason="Out", at=AT)
    assert offered(administrator, card) == []


def test_an_account_is_opened_on_the_page(operator: Client) -> None:
    answer = operator.post(
        f"{LIST}open_account/", DETAILS | {"account_number": "A-9", "confirmed": "yes", "reason": "Ticket 7"}
    )

    account = PaymentAccount.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(account))
    assert (account.account_number, account.name, account.statement_frequency) == ("A-9", "Renamed", "WEEKLY")


def test_what_does_not_fit_together_is_refused_on_the_page(operator: Client) -> None:
    page = operator.post(
        f"{LIST}open_account/",
        DETAILS | {"account_number": "A-9", "payment_method": "EFT", "confirmed": "yes", "reason": "Ticket 7"},
    )

    assert page.status_code == 422
    assert "Enable EFT before the account pays by it." in page.content.decode()
    assert PaymentAccount.objects.count() == 0


def test_an_account_is_locked_and_the_lock_lifted_with_a_reason(operator: Client) -> None:
    account, identity = a_pad_account()

    act(operator, account, "lock", kind="NSF", cause="Bounced")
    lock = AccountLock.objects.get()
    assert (lock.kind, lock.cause, lock.locked_by) == ("NSF", "Bounced", "pat-operator")

    unanswered = act(operator, account, "lift_lock", kind="NSF", reason="")
    assert "Say why" in unanswered.content.decode()
    wrong = act(operator, account, "lift_lock", kind="OVERDUE_EFT")
    assert "No such lock stands" in wrong.content.decode()
    lock.refresh_from_db()
    assert lock.is_live

    act(operator, account, "lift_lock", kind="NSF")
    lock.refresh_from_db()
    identity.refresh_from_db()
    assert (lock.lifted_by, lock.lifted_reason, identity.status) == ("pat-operator", "Ticket 7", "ACTIVE")


def test_bank_details_are_set_and_what_is_wrong_stands_at_its_field(operator: Client) -> None:
    account, old = a_pad_account()

    refused = act(operator, account, "set_bank_details", **(BANK | {"bank_branch_number": "13"}))
    assert list(refused.context["forms"][0].errors) == ["bank_branch_number"]
    assert BANK["bank_account_number"] not in refused.content.decode()
    assert LedgerIdentity.objects.count() == 1

    act(operator, account, "set_bank_details", **BANK)
    new = LedgerIdentity.objects.live().get()
    assert new.pk != old.pk
    assert (new.bank_account_number, new.status) == ("99887766", "PENDING_PAD_ACTIVATION")


def test_a_bank_account_is_shown_once_and_not_kept_by_a_browser(operator: Client) -> None:
    account, _ = a_pad_account()

    asked = operator.get(f"{LIST}{account.pk}/reveal/")
    assert "kept in the audit" in asked.content.decode()
    shown = act(operator, account, "reveal", method="PAD", reason="The bank asked")

    assert shown.status_code == 200
    assert BANK_ACCOUNT in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    entry = AuditEntry.objects.get(action="account.bank-account-revealed")
    assert (entry.actor, entry.reason) == ("pat-operator", "The bank asked")
    assert BANK_ACCOUNT not in operator.get(page_of(account)).content.decode()


def test_terms_are_accepted_for_the_customer(operator: Client) -> None:
    account = an_account("A-7", "PAD")
    act(operator, account, "set_bank_details", **BANK)

    act(operator, account, "accept_terms", accepted_by="A. Customer")

    account.refresh_from_db()
    assert account.pad_terms_accepted_by == "A. Customer"
    assert account.pad_activates_at is not None
    early = act(operator, account, "activate_debits")
    assert "cannot be debited yet" in early.content.decode()


def test_debits_are_frozen_and_unfrozen(operator: Client) -> None:
    account, identity = a_pad_account()

    act(operator, account, "freeze_debits")
    identity.refresh_from_db()
    assert identity.status == "FREEZE"
    assert "Unfreeze debits" in offered(operator, account)
    act(operator, account, "unfreeze_debits")
    identity.refresh_from_db()
    assert identity.status == "ACTIVE"


def test_the_default_method_and_the_details_are_changed(operator: Client) -> None:
    account = an_account("A-7", eft_enabled=True)

    act(operator, account, "change_method", method="EFT")
    account.refresh_from_db()
    assert (account.payment_method, account.statement_frequency) == ("EFT", "MONTHLY")

    filled = operator.get(f"{LIST}{account.pk}/change_details/").context["forms"][0]
    assert (filled["name"].value(), filled["payment_method"].value()) == ("Customer A-7", "EFT")
    act(operator, account, "change_details", **DETAILS)
    account.refresh_from_db()
    assert (account.name, account.payment_method, account.eft_enabled) == ("Renamed", "DIRECT_PAY", False)


def test_a_fee_is_agreed_and_taken_back(administrator: Client) -> None:
    account = an_account()
    a_product("BTR")
    a_fee_code("TRF02")

    act(administrator, account, "set_fee", product="BTR", service_fee_code="TRF02")
    fee = AccountFee.objects.get()
    assert (fee.product_id, fee.service_fee_code_id, fee.applies_filing_fees) == ("BTR", "TRF02", False)
    act(administrator, account, "remove_fee", product="BTR")
    assert AccountFee.objects.count() == 0


def test_an_account_is_closed_or_says_why_not(administrator: Client) -> None:
    account = an_account()
    lock = lock_by_hand(account.pk, kind="OVERDUE_EFT", cause="Late", actor=ACTOR, at=AT).lock

    refused = act(administrator, account, "close")
    assert refused.status_code == 409
    assert "It is locked: Overdue EFT invoice." in refused.content.decode()
    account.refresh_from_db()
    assert account.closed_at is None

    AccountLock.objects.filter(pk=lock.pk).update(lifted_at=AT, lifted_by="pat", lifted_reason="Paid")
    act(administrator, account, "close")
    account.refresh_from_db()
    assert account.is_closed


REFUSED = {
    "viewer": [
        "lock",
        "lift_lock",
        "set_bank_details",
        "accept_terms",
        "activate_debits",
        "freeze_debits",
        "unfreeze_debits",
        "change_method",
        "change_details",
        "set_fee",
        "remove_fee",
        "reveal",
        "close",
    ],
    "operator": ["set_fee", "remove_fee", "close"],
    "administrator": ["lock", "lift_lock", "set_bank_details", "accept_terms", "freeze_debits", "unfreeze_debits"],
}
REFUSED["approver"] = REFUSED["auditor"] = REFUSED["viewer"]


@pytest.mark.parametrize("role", REFUSED)
def test_who_may_not_act_is_refused_and_nothing_changes(role: str) -> None:
    account, _ = a_pad_account()
    entries = AuditEntry.objects.count()
    person = signed_in(role)

    for action in REFUSED[role]:
        assert person.get(f"{LIST}{account.pk}/{action}/").status_code == 403, action
        assert act(person, account, action, **BANK, kind="NSF", cause="x", method="PAD").status_code == 403, action

    assert person.get(page_of(account)).status_code == person.get(LIST).status_code == 200
    assert AuditEntry.objects.count() == entries
    assert AccountLock.objects.count() == 0
