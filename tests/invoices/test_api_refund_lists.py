"""Refunds found over the API: every filter, page by page, and of no other client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from catalogue.models import Product
from invoices.models import Refund
from invoices.operations.refundapprovals import request_refund
from kernel.audit.actors import Actor
from tests.invoices.billed import a_paid_invoice, a_part, a_priced_filing, an_invoice, refund
from tests.invoices.budgets import queries_of
from tests.invoices.partners import Partner, answered, refused

pytestmark = pytest.mark.django_db(transaction=True)
REFUNDS = "/api/v1/refunds"
MOST_QUERIES = 6
NOON = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def listed(partner: Partner, **query: Any) -> list[int]:
    return [item["id"] for item in answered(partner.get(REFUNDS, query))["items"]]


def test_every_filter_leaves_what_meets_it(partner: Partner) -> None:
    debit, transfer = a_paid_invoice("PAD", number="R1"), a_paid_invoice("EFT", number="R2")
    a_priced_filing("OTADD", "BC")
    Product.objects.filter(pk="CP").update(refund_approval=True)
    # The ledger's day is Pacific: it began at 08:00 UTC.
    before = refund(debit, a_part(debit, "1.00"), at=datetime(2026, 3, 2, 7, 59, 59, tzinfo=UTC))
    Product.objects.filter(pk="CP").update(refund_approval=False)
    at_midnight = refund(debit, a_part(debit, "2.00"), at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    other = request_refund(
        transfer.pk,
        [a_part(transfer, "3.00")],
        reason="Not wanted",
        actor=Actor.api_client("other"),
        at=datetime(2026, 3, 3, 7, 59, 59, tzinfo=UTC),
    )
    newest_first = [other, at_midnight, before]
    for query, expected in (
        ({}, newest_first),
        ({"status": "PENDING_APPROVAL"}, [before]),
        ({"status": "PROCESSED"}, [other, at_midnight]),
        ({"status": "REFUSED"}, []),
        ({"invoiceId": debit.pk}, [at_midnight, before]),
        ({"invoiceId": 2**63 - 1}, []),
        ({"accountNumber": "A-EFT"}, [other]),
        ({"product": "CP"}, newest_first),
        ({"product": "BC"}, []),
        ({"requestedBy": "other"}, [other]),
        ({"requestedBy": "nobody"}, []),
        ({"requestedFrom": "2026-03-02"}, [other, at_midnight]),
        ({"requestedTo": "2026-03-01"}, [before]),
        ({"requestedFrom": "2026-03-02", "requestedTo": "2026-03-02", "accountNumber": "A-PAD"}, [at_midnight]),
    ):
        assert listed(partner, **query) == [found.pk for found in expected], query
    by_header = answered(partner.get(REFUNDS, Account_Id="A-EFT"))
    assert [item["id"] for item in by_header["items"]] == [other.pk]
    assert answered(partner.get(REFUNDS, {"accountNumber": "A-NONE"}), 404)["code"] == "account-unknown"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"colour": "red"}, "colour", "unknown"),
        ({"status": "DONE"}, "status", "invalid_choice"),
        ({"status": ["PROCESSED", "PROCESSED"]}, "status", "repeated"),
        ({"invoiceId": "x"}, "invoiceId", "invalid"),
        ({"invoiceId": "9" * 40}, "invoiceId", "max_value"),
        ({"requestedFrom": "2026-02-30"}, "requestedFrom", "invalid"),
        ({"requestedFrom": "2026-02-02", "requestedTo": "2026-02-01"}, "requestedTo", "before"),
        ({"limit": "0"}, "limit", "invalid"),
        ({"cursor": "zzz"}, "cursor", "invalid"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named(partner: Partner, query: dict[str, Any], field: str, code: str) -> None:
    assert refused(partner.get(REFUNDS, query)) == [(field, code)]


def test_pages_follow_each_other_newest_first_and_count_nothing(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    made = [
        refund(invoice, a_part(invoice, "1.00"), at=NOON + timedelta(minutes=number // 2)).pk for number in range(7)
    ]
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = answered(partner.get(REFUNDS, query))
        assert sorted(page) == ["items", "next"]
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == sorted(made, reverse=True)
    # What is asked for meanwhile neither shifts nor repeats the pages further back.
    first = answered(partner.get(REFUNDS, {"limit": 3}))
    refund(invoice, a_part(invoice, "1.00"), at=NOON + timedelta(hours=1))
    assert listed(partner, limit=3, cursor=first["next"]) == sorted(made, reverse=True)[3:6]


def test_a_page_costs_the_same_however_many_refunds_it_holds(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    for number in range(6):
        refund(invoice, a_part(invoice, "1.00"), at=NOON + timedelta(minutes=number))
    assert len(listed(partner)) == 6
    assert queries_of(listed, partner, limit=1) == queries_of(listed, partner, limit=6) <= MOST_QUERIES


def test_a_client_finds_the_refunds_of_its_accounts_and_products_only(partner: Partner) -> None:
    mine, theirs = a_paid_invoice("PAD", number="R1"), a_paid_invoice("ONLINE_BANKING", number="R2")
    of_mine, of_theirs = refund(mine), refund(theirs)
    limited = Partner("limited", all_accounts=False, accounts=[mine.account])
    assert listed(partner) == [of_theirs.pk, of_mine.pk]
    assert listed(limited) == [of_mine.pk]
    assert listed(limited, invoiceId=theirs.pk) == []
    assert answered(limited.get(REFUNDS, {"accountNumber": "A-ONLINE_BANKING"}), 404)["code"] == "account-unknown"
    nobody = Partner("nobody-yet", all_accounts=False)
    assert listed(nobody) == []
    assert Refund.objects.count() == 2
    assert answered(limited.get(f"/api/v1/invoices/{an_invoice('EFT').pk}/refunds"), 404)["code"] == "invoice-not-found"
