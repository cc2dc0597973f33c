"""Accounts over the API: opened once, read with what stands in their way, and without anybody's bank number."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import PaymentAccount
from accounts.operations import lock_by_hand
from accounts.scopes import ACCOUNTS_TERMS
from accounts.states import LockKind
from invoices.operations.settling import settle
from kernel.audit.models import AuditEntry
from tests.accounts.payers import BANK_ACCOUNT, an_account
from tests.catalogue.priced import a_gl_code
from tests.invoices.billed import AT, STAFF, a_credit, a_payer, a_priced_filing, an_invoice, evidence_of
from tests.invoices.budgets import queries_of
from tests.invoices.partners import PARTNER_SCOPES, Partner, answered, refused

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNTS = "/api/v1/accounts"
MOST_QUERIES = 8


@pytest.fixture
def partner() -> Partner:
    return Partner()


def a_body(number: str = "A-1", method: str = "DIRECT_PAY", **changes: Any) -> dict[str, Any]:
    return {"accountNumber": number, "name": "A customer", "paymentMethod": method, **changes}


def test_an_account_is_opened_with_all_that_was_sent_and_may_be_used_at_once() -> None:
    partner = Partner(scopes=(*PARTNER_SCOPES, ACCOUNTS_TERMS))
    body = a_body(
        branchName="North",
        bcolUserId="PB1",
        bcolAccountNumber="180670",
        eftEnabled=True,
        billable=False,
        statementFrequency="DAILY",
        statementNotificationEnabled=True,
    )
    response = partner.post(ACCOUNTS, body)
    opened = answered(response, 201)
    assert response["Location"] == f"{ACCOUNTS}/A-1"
    assert (
        opened.items()
        >= {
            "accountNumber": "A-1",
            "name": "A customer",
            "branchName": "North",
            "paymentMethod": "DIRECT_PAY",
            "bcolUserId": "PB1",
            "bcolAccountNumber": "180670",
            "billable": False,
            "eftEnabled": True,
            "journalRestricted": False,
            "statementFrequency": "DAILY",
            "padActivatesAt": None,
            "closedAt": None,
            "links": {"self": f"{ACCOUNTS}/A-1", "credits": f"{ACCOUNTS}/A-1/credits"},
            "locks": [],
            "balances": {"currency": "CAD", "owing": "0.00", "overdue": "0.00", "credit": "0.00", "byMethod": []},
        }.items()
    )
    assert answered(partner.get(f"{ACCOUNTS}/A-1")) == opened
    assert PaymentAccount.objects.get().statement_notification_enabled
    entry = AuditEntry.objects.get(action="account.opened")
    assert (entry.actor, entry.reason) == ("partner", "Opened by the API")


def test_opening_it_again_is_the_same_account_and_with_other_details_a_conflict(partner: Partner) -> None:
    first = answered(partner.post(ACCOUNTS, a_body()), 201)
    assert answered(partner.post(ACCOUNTS, a_body()), 200) == first
    problem = answered(partner.post(ACCOUNTS, a_body(bcolAccountNumber="180670")), 409)
    assert problem["code"] == "account-known"
    assert problem["difference"] == [{"field": "bcolAccountNumber", "recorded": "", "received": "180670"}]
    assert (PaymentAccount.objects.count(), PaymentAccount.objects.get().prepaid_account) == (1, "")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"paymentMethod": "EJV", "billable": False}, ["billable"]),
        ({"paymentMethod": "EFT", "eftEnabled": True}, ["eftEnabled"]),
        ({"paymentMethod": "EJV", "journalGlId": 1}, ["journalGlId"]),
        ({"billable": False, "eftEnabled": True, "journalGlId": 1}, ["billable", "eftEnabled", "journalGlId"]),
    ],
)
def test_a_partner_does_not_agree_what_finance_agrees_with_the_customer(
    partner: Partner, asked: dict[str, Any], named: list[str]
) -> None:
    a_gl_code("A ministry")
    answer = partner.post(ACCOUNTS, a_body() | asked)

    assert refused(answer, 403) == [(name, "account-terms-not-for-partners") for name in named]
    assert not PaymentAccount.objects.exists()
    assert not AuditEntry.objects.filter(action="account.opened").exists()


def test_of_a_number_that_somebody_else_uses_nothing_is_told_but_that_it_is_taken(partner: Partner) -> None:
    an_account("A-1")
    PaymentAccount.objects.update(name="A secret customer")
    limited = Partner("limited", all_accounts=False)
    for name in ("A customer", "A secret customer"):
        answer = limited.post(ACCOUNTS, a_body(name=name))
        assert refused(answer, 409) == [("accountNumber", "account-number-taken")]
        assert "secret" not in answer.content.decode()
    assert answered(limited.get(ACCOUNTS))["items"] == []
    mine = answered(limited.post(ACCOUNTS, a_body("A-2")), 201)
    assert [item["accountNumber"] for item in answered(limited.get(ACCOUNTS))["items"]] == ["A-2"]
    assert answered(limited.get(f"{ACCOUNTS}/A-2")) == mine
    assert answered(limited.get(f"{ACCOUNTS}/A-1"), 404)["code"] == "account-unknown"
    assert PaymentAccount.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"accountNumber": ""}, [("accountNumber", "blank")]),
        ({"accountNumber": "x" * 51}, [("accountNumber", "max_length")]),
        ({"name": None}, [("name", "null")]),
        ({"paymentMethod": "INTERNAL"}, [("paymentMethod", "invalid_choice")]),
        ({"paymentMethod": "CC"}, [("paymentMethod", "invalid_choice")]),
        ({"paymentMethod": "EFT"}, [("eftEnabled", "required")]),
        ({"paymentMethod": "EJV"}, [("journalGlId", "required")]),
        ({"paymentMethod": "EJV", "journalGlId": 2**63}, [("journalGlId", "max_value")]),
        ({"paymentMethod": "EFT", "eftEnabled": True, "statementFrequency": "DAILY"}, [("statementFrequency", "eft")]),
        ({"eftEnabled": "true"}, [("eftEnabled", "invalid")]),
        ({"statementFrequency": "YEARLY"}, [("statementFrequency", "invalid_choice")]),
        ({"bankAccountNumber": BANK_ACCOUNT}, [("bankAccountNumber", "unknown")]),
    ],
)
def test_what_is_wrong_is_named_as_it_was_sent_and_nothing_is_opened(
    change: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    partner = Partner(scopes=(*PARTNER_SCOPES, ACCOUNTS_TERMS))
    assert refused(partner.post(ACCOUNTS, a_body() | change)) == errors
    assert PaymentAccount.objects.count() == 0


def test_an_account_that_pays_by_voucher_names_a_gl_code_that_there_is() -> None:
    partner = Partner(scopes=(*PARTNER_SCOPES, ACCOUNTS_TERMS))
    gl_code = a_gl_code("A ministry")
    answer = partner.post(ACCOUNTS, a_body(method="EJV", journalGlId=gl_code.pk + 1))
    assert [field for field, _ in refused(answer)] == ["journalGlId"]
    assert PaymentAccount.objects.count() == 0
    answered(partner.post(ACCOUNTS, a_body(method="EJV", journalGlId=gl_code.pk)), 201)
    assert PaymentAccount.objects.get().journal_gl_id == gl_code.pk


def test_an_account_tells_its_locks_with_their_cause_and_by_what_it_may_order_now(partner: Partner) -> None:
    a_priced_filing()
    account = a_payer("PAD")
    at = datetime.now(UTC)
    lock = lock_by_hand(account.pk, kind=LockKind.NSF, cause="Bounced", actor=STAFF, at=at).lock
    found = answered(partner.get(f"{ACCOUNTS}/A-PAD"))
    assert [(each["kind"], each["cause"], each["invoiceId"]) for each in found["locks"]] == [("NSF", "Bounced", None)]
    assert found["locks"][0]["lockedAt"] == lock.locked_at.isoformat().replace("+00:00", "Z")
    gates = {method["paymentMethod"]: [gate["code"] for gate in method["gates"]] for method in found["methods"]}
    assert gates == {
        "PAD": ["PAD_CURRENTLY_NSF"],
        "EJV": ["PAD_CURRENTLY_NSF", "JOURNAL_NOT_SET_UP"],
        "EFT": ["PAD_CURRENTLY_NSF", "EFT_NOT_ENABLED"],
        "DIRECT_PAY": ["PAD_CURRENTLY_NSF"],
        "ONLINE_BANKING": ["PAD_CURRENTLY_NSF"],
        "DRAWDOWN": ["PAD_CURRENTLY_NSF"],
    }
    for method in found["methods"]:
        assert method["mayOrder"] is False
        assert all(gate["message"] and gate["nextStep"] for gate in method["gates"])


def test_an_account_tells_what_it_owes_and_what_it_has_left(partner: Partner) -> None:
    a_priced_filing()
    account = a_payer("PAD")
    a_credit("PAD", "10.00")
    an_invoice("PAD")
    part = an_invoice("ONLINE_BANKING", account=account)
    settle(part.pk, evidence_of(part, "R2", amount="3.08"), actor=STAFF, at=AT)
    balances = answered(partner.get(f"{ACCOUNTS}/A-PAD"))["balances"]
    assert balances == {
        "currency": "CAD",
        "owing": "63.08",
        "overdue": "0.00",
        "credit": "10.00",
        "byMethod": [
            {"paymentMethod": "ONLINE_BANKING", "owing": "30.00", "overdue": "0.00"},
            {"paymentMethod": "PAD", "owing": "33.08", "overdue": "0.00"},
        ],
    }


def test_no_answer_about_an_account_has_its_bank_number(partner: Partner) -> None:
    a_payer("PAD")
    for answer in (partner.get(ACCOUNTS), partner.get(f"{ACCOUNTS}/A-PAD"), partner.get(f"{ACCOUNTS}/A-PAD/credits")):
        assert answer.status_code == 200
        assert BANK_ACCOUNT not in answer.content.decode()
        assert [name for name in re.findall(r'"(\w+)":', answer.content.decode()) if "bank" in name.lower()] == []


def test_pages_of_accounts_follow_each_other_and_cost_the_same(partner: Partner) -> None:
    for number in range(5):
        an_account(f"A-{number}")
    PaymentAccount.objects.filter(account_number="A-0").update(created_at=AT + timedelta(days=1))
    first = answered(partner.get(ACCOUNTS, {"limit": 2}))
    rest = answered(partner.get(ACCOUNTS, {"cursor": first["next"]}))
    numbers = [item["accountNumber"] for item in first["items"] + rest["items"]]
    assert numbers == ["A-0", "A-4", "A-3", "A-2", "A-1"]
    assert (rest["next"], sorted(rest)) == (None, ["items", "next"])
    assert queries_of(partner.get, ACCOUNTS, {"limit": 1}) == queries_of(partner.get, ACCOUNTS) <= MOST_QUERIES
    assert refused(partner.get(ACCOUNTS, {"name": "x"})) == [("name", "unknown")]


def test_one_account_costs_few_queries_however_much_it_owes(partner: Partner) -> None:
    a_priced_filing()
    for _ in range(5):
        an_invoice("PAD")
    assert answered(partner.get(f"{ACCOUNTS}/A-PAD"))["balances"]["owing"] == "165.40"
    assert queries_of(partner.get, f"{ACCOUNTS}/A-PAD") <= MOST_QUERIES
