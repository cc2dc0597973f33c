"""The pages of accounts: found, understood, set right by those who may, and never a bank account number in full."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from django.utils.safestring import SafeString

from accounts import panels
from accounts.models import AccountFee, AccountLock, LedgerIdentity, PaymentAccount
from accounts.operations import close_account, lock_by_hand, set_account_fee
from accounts.panels import Panel, register_panel
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


def numbers_on(page: Any) -> list[str]:
    return [account.account_number for account in page.context["cl"].result_list]


def offered(client: Client, account: PaymentAccount) -> list[str]:
    return [allowed.title for allowed in client.get(page_of(account)).context["allowed"]]


def test_an_empty_list_says_how_accounts_come_about(operator: Client) -> None:
    assert "No account yet. Partners open accounts over the API" in operator.get(LIST).content.decode()


def test_accounts_are_found_by_the_beginning_of_the_number_a_part_of_the_name_or_the_prepaid_account(
    operator: Client,
) -> None:
    an_account("A-100")
    an_account("B-200", "DRAWDOWN", prepaid_account="180670")

    assert numbers_on(operator.get(LIST)) == ["B-200", "A-100"]
    assert numbers_on(operator.get(LIST, {"q": "a-1"})) == ["A-100"]
    assert numbers_on(operator.get(LIST, {"q": "omer B-2"})) == ["B-200"]
    assert numbers_on(operator.get(LIST, {"q": "180670"})) == ["B-200"]
    assert numbers_on(operator.get(LIST, {"q": "18067"})) == []


def test_the_list_is_narrowed_down_by_lock_method_and_closing(operator: Client) -> None:
    nsf, overdue, closed, card = (an_account(number) for number in ("A-1", "A-2", "A-3", "A-4"))
    debited, _ = a_pad_account("A-5")
    lock_by_hand(nsf.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)
    lock_by_hand(overdue.pk, kind="OVERDUE_EFT", cause="Late", actor=ACTOR, at=AT)
    close_account(closed.pk, actor=ACTOR, reason="Out", at=AT)

    found = {
        key: set(numbers_on(operator.get(LIST, dict([key.split("=")]))))
        for key in (
            "locked=now",
            "locked=NSF",
            "locked=OVERDUE_EFT",
            "locked=no",
            "closed=yes",
            "closed=no",
            "method=PAD",
        )
    }

    assert found == {
        "locked=now": {"A-1", "A-2"},
        "locked=NSF": {"A-1"},
        "locked=OVERDUE_EFT": {"A-2"},
        "locked=no": {"A-3", card.account_number, "A-5"},
        "closed=yes": {"A-3"},
        "closed=no": {"A-1", "A-2", "A-4", "A-5"},
        "method=PAD": {debited.account_number},
    }


def test_the_list_takes_as_many_queries_for_twenty_accounts_as_for_two(operator: Client) -> None:
    counts = []
    for total in (2, 20):
        for number in range(PaymentAccount.objects.count(), total):
            account, _ = a_pad_account(f"A-{number}")
            lock_by_hand(account.pk, kind="NSF", cause="Bounced", actor=ACTOR, at=AT)
        operator.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            operator.get(LIST)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 10


def test_the_page_says_what_stands_in_the_way_and_what_to_do(operator: Client) -> None:
    account, _ = a_pad_account()
    lock_by_hand(account.pk, kind="NSF", cause="Funds <not> cleared", actor=ACTOR, at=AT)

    page = operator.get(page_of(account)).content.decode()

    assert "This account is locked" in page
    assert "Locked: Not sufficient funds (NSF)" in page
    assert escape("Funds <not> cleared") in page
    assert "Pay what bounced, and the fee for it, by card." in page
    assert "Funds <not> cleared" not in page


def test_the_page_takes_a_bounded_number_of_queries(operator: Client) -> None:
    account, _ = a_pad_account()
    a_product("BTR")
    a_fee_code("TRF02")
    set_account_fee(
        account.pk, product_code="BTR", applies_filing_fees=True, service_fee_code="TRF02", actor=ACTOR, at=AT
    )
    operator.get(page_of(account))

    with CaptureQueriesContext(connection) as queries:
        page = operator.get(page_of(account))

    assert "TRF02 (1.00)" in page.content.decode()
    assert len(queries) <= 32


def test_no_page_shows_a_bank_account_in_full(operator: Client) -> None:
    account, _ = a_pad_account()
    actions = ("set_bank_details", "reveal", "change_details", "change_method", "lock", "freeze_debits")

    pages = [operator.get(address).content.decode() for address in (LIST, page_of(account))]
    pages += [operator.get(f"{LIST}{account.pk}/{action}/").content.decode() for action in actions]

    assert all(BANK_ACCOUNT not in page for page in pages)
    assert "001 00020 ••••667" in pages[1]


def test_a_page_is_shown_also_when_the_bank_account_cannot_be_read(operator: Client) -> None:
    account, identity = a_pad_account()
    with connection.cursor() as cursor:
        cursor.execute("update ledger_identity set bank_account_number = 'broken' where id = %s", [identity.pk])

    page = operator.get(page_of(account))

    assert page.status_code == 200
    assert "cannot be read: its encryption key is missing" in page.content.decode()


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


def test_somebody_without_a_role_sees_no_account() -> None:
    account = an_account()
    person = signed_in(None)

    assert [person.get(address).status_code for address in (LIST, page_of(account), f"{LIST}locked.csv")] == [403] * 3


def test_all_locked_accounts_leave_as_csv_without_formulas(operator: Client) -> None:
    harmful, other = an_account("A-1"), an_account("A-2")
    lock_by_hand(harmful.pk, kind="NSF", cause='=HYPERLINK("http://example.invalid")', actor=ACTOR, at=AT)
    an_account("A-3")
    lock_by_hand(other.pk, kind="OVERDUE_EFT", cause="Late", actor=ACTOR, at=AT)

    answer: Any = operator.get(f"{LIST}locked.csv")

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["account_number"], row["lock"]) for row in rows] == [("A-1", "NSF"), ("A-2", "OVERDUE_EFT")]
    assert rows[0]["cause"] == '\'=HYPERLINK("http://example.invalid")'
    assert (rows[0]["locked_at"], rows[0]["locked_by"]) == ("2026-03-02T18:00:00Z", "test")


def test_apps_above_show_their_panels_in_their_order(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_panels", {})
    account = an_account()
    register_panel(Panel("Credits", 15, lambda request, shown: SafeString(f"<p>Credits of {shown.account_number}</p>")))
    register_panel(Panel("Nothing to show", 16, lambda request, shown: SafeString("")))

    page = operator.get(page_of(account)).content.decode()

    assert "<p>Credits of A-100</p>" in page
    assert "Nothing to show" not in page
    assert page.index("What it may order by now") < page.index("Credits of A-100") < page.index("It was never locked")
