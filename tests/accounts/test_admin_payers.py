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
from accounts.models import PaymentAccount
from accounts.operations import close_account, lock_by_hand, set_account_fee
from accounts.panels import Panel, register_panel
from tests.accounts.payers import ACTOR, AT, BANK_ACCOUNT, a_fee_code, a_pad_account, a_product, an_account
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/accounts/paymentaccount/"


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def page_of(account: PaymentAccount) -> str:
    return f"{LIST}{account.pk}/change/"


def numbers_on(page: Any) -> list[str]:
    return [account.account_number for account in page.context["cl"].result_list]


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


@pytest.mark.usefixtures("kept_sidebar")
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


@pytest.mark.usefixtures("kept_sidebar")
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
