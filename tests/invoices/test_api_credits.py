"""Credits over the API: what an account has left, and invoices paid from it, the oldest credit first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.scopes import CREDITS_READ
from invoices.models import Credit, CreditApplication, Invoice, Receipt
from invoices.operations.creditrows import add_credit
from invoices.states import CreditKind
from kernel.transactions import unit_of_work
from tests.invoices.billed import AT, STAFF, a_payer, a_priced_filing, an_invoice, stored
from tests.invoices.budgets import queries_of
from tests.invoices.partners import INVOICES, PARTNER_SCOPES, Partner, answered, refused

pytestmark = pytest.mark.django_db(transaction=True)
CREDITS = "/api/v1/accounts/A-PAD/credits"
MOST_QUERIES = 5


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


@pytest.fixture
def source(partner: Partner) -> Invoice:
    """The invoice that the credits of the account came from."""
    return an_invoice("PAD")


@unit_of_work
def a_credit(source: Invoice, amount: str, *, hours: int = 0) -> Credit:
    return add_credit(
        source,
        kind=CreditKind.CREDIT_MEMO,
        amount=Decimal(amount),
        details="Refund 7",
        actor=STAFF,
        at=AT + timedelta(hours=hours),
    )


def listed(partner: Partner, **query: Any) -> list[int]:
    return [item["id"] for item in answered(partner.get(CREDITS, query))["items"]]


def test_a_credit_tells_what_it_is_worth_and_where_it_came_from(partner: Partner, source: Invoice) -> None:
    credit = a_credit(source, "10.00")
    assert answered(partner.get(CREDITS)) == {
        "items": [
            {
                "id": credit.pk,
                "kind": "CREDIT_MEMO",
                "paymentMethod": "PAD",
                "amount": "10.00",
                "remaining": "10.00",
                "currency": "CAD",
                "ledgerIdentifier": "",
                "invoiceId": source.pk,
                "details": "Refund 7",
                "createdAt": "2026-11-24T18:00:00Z",
            }
        ],
        "next": None,
    }


def test_an_invoice_is_paid_by_the_oldest_credits_as_far_as_they_reach(partner: Partner, source: Invoice) -> None:
    older, newer = a_credit(source, "5.00"), a_credit(source, "10.00", hours=1)
    invoice = an_invoice("PAD")
    shown = answered(partner.get(f"{INVOICES}/{invoice.pk}"))["allowedActions"]
    assert [action["href"] for action in shown if action["name"] == "applyCredit"] == [
        f"{INVOICES}/{invoice.pk}/credits"
    ]

    after = answered(partner.post(f"{INVOICES}/{invoice.pk}/credits"))
    assert (after["money"]["paid"], after["money"]["owing"], after["money"]["total"]) == ("15.00", "18.08", "33.08")
    assert [(receipt["amount"], receipt["source"]) for receipt in after["receipts"]] == [
        ("5.00", "credit"),
        ("10.00", "credit"),
    ]
    assert [receipt["receiptNumber"] for receipt in after["receipts"]] == [f"CREDIT{older.pk}-1", f"CREDIT{newer.pk}-1"]
    items = answered(partner.get(CREDITS))["items"]
    assert [(item["id"], item["amount"], item["remaining"]) for item in items] == [
        (newer.pk, "10.00", "0.00"),
        (older.pk, "5.00", "0.00"),
    ]
    problem = answered(partner.post(f"{INVOICES}/{invoice.pk}/credits"), 409)
    assert (problem["code"], problem["ids"]) == ("no-credit-left", [invoice.pk])
    assert CreditApplication.objects.count() == 2


def test_no_more_is_taken_from_a_credit_than_the_invoice_owes(partner: Partner, source: Invoice) -> None:
    credit = a_credit(source, "100.00")
    invoice = an_invoice("PAD")
    paid = answered(partner.post(f"{INVOICES}/{invoice.pk}/credits"))
    assert (paid["status"], paid["money"]["paid"], paid["money"]["owing"]) == ("PAID", "33.08", "0.00")
    assert str(Credit.objects.get(pk=credit.pk).remaining) == "66.92"
    problem = answered(partner.post(f"{INVOICES}/{invoice.pk}/credits"), 409)
    assert (problem["code"], problem["ids"]) == ("invoice-owes-nothing", [invoice.pk])
    assert str(Credit.objects.get(pk=credit.pk).remaining) == "66.92"


def test_where_there_is_nothing_to_apply_nothing_is_paid(partner: Partner, source: Invoice) -> None:
    invoice = an_invoice("PAD")
    assert answered(partner.post(f"{INVOICES}/{invoice.pk}/credits"), 409)["code"] == "no-credit-left"
    a_credit(source, "10.00")
    # The credit is of the account's debits, and no card payment of anybody is paid by it.
    card = an_invoice("DIRECT_PAY", account=source.account)
    assert answered(partner.post(f"{INVOICES}/{card.pk}/credits"), 422)["code"] == "credit-not-for-method"
    banking = an_invoice("ONLINE_BANKING", account=source.account)
    assert answered(partner.post(f"{INVOICES}/{banking.pk}/credits"), 409)["code"] == "no-credit-left"
    assert refused(partner.post(f"{INVOICES}/{invoice.pk}/credits", {"amount": "1.00"})) == [("amount", "unknown")]
    assert (Receipt.objects.count(), str(Credit.objects.get().remaining)) == (0, "10.00")
    assert stored(invoice).status == "APPROVED"


def test_pages_of_credits_follow_each_other_and_cost_the_same(partner: Partner, source: Invoice) -> None:
    made = [a_credit(source, "1.00", hours=number // 2).pk for number in range(5)]
    first = answered(partner.get(CREDITS, {"limit": 2}))
    rest = listed(partner, limit=200, cursor=first["next"])
    assert [item["id"] for item in first["items"]] + rest == sorted(made, reverse=True)
    assert len(listed(partner)) == 5
    assert queries_of(listed, partner, limit=1) == queries_of(listed, partner, limit=5) <= MOST_QUERIES
    assert refused(partner.get(CREDITS, {"status": "left"})) == [("status", "unknown")]


def test_credits_are_for_who_may_see_the_account(partner: Partner, source: Invoice) -> None:
    a_credit(source, "10.00")
    a_payer("EFT")
    assert answered(partner.get("/api/v1/accounts/A-EFT/credits"))["items"] == []
    other = Partner("other", all_accounts=False)
    assert answered(other.get(CREDITS), 404)["code"] == "account-unknown"
    assert answered(partner.get("/api/v1/accounts/A-NONE/credits"), 404)["code"] == "account-unknown"
    without = Partner("without", scopes=sorted(set(PARTNER_SCOPES) - {CREDITS_READ}))
    assert answered(without.get(CREDITS), 403)["required_scope"] == CREDITS_READ
