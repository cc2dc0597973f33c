"""Lists of invoices: every filter, what cannot be asked, and pages that cost the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.quote import FilingLine
from invoices.models import Invoice, InvoiceReference
from invoices.operations.crediting import apply_credit
from invoices.operations.creditrows import add_credit
from invoices.operations.settling import settle
from invoices.states import CreditKind
from kernel.transactions import unit_of_work
from tests.invoices.billed import STAFF, a_priced_filing, an_invoice, evidence_of
from tests.invoices.partners import INVOICES, Partner, answered, listed, refused

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 8


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


@unit_of_work
def a_credit(invoice: Invoice, amount: str) -> None:
    add_credit(
        invoice,
        kind=CreditKind.CREDIT_MEMO,
        amount=Decimal(amount),
        details="Test",
        actor=STAFF,
        at=datetime.now(UTC),
    )


def test_every_filter_leaves_what_meets_it(partner: Partner) -> None:
    old = an_invoice("PAD", at=datetime(2026, 3, 2, 7, 59, tzinfo=UTC), folio_number="F1", business_identifier="BC1")
    card = an_invoice("DIRECT_PAY", at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    dear = an_invoice(
        "EFT", at=datetime(2026, 3, 3, 7, 59, 59, tzinfo=UTC), lines=(FilingLine("OTANN", 2, description="100% sure"),)
    )
    InvoiceReference.objects.filter(invoice=card).update(invoice_number="REG777")
    settle(dear.pk, evidence_of(dear), actor=STAFF, at=datetime.now(UTC))
    for query, expected in (
        ({"id": card.pk}, [card]),
        ({"id": 2**63 - 1}, []),
        ({"status": "APPROVED"}, [old]),
        ({"status": "PAID"}, [dear]),
        ({"status": "COMPLETED"}, [dear]),
        ({"status": "PARTIALLY_REFUNDED"}, []),
        ({"paymentMethod": "DIRECT_PAY"}, [card]),
        ({"paymentMethod": "NO_FEE"}, []),
        ({"paymentMethod": "CREDIT"}, []),
        ({"accountNumber": "A-EFT"}, [dear]),
        ({"product": "CP"}, [dear, card, old]),
        ({"product": "cp"}, []),
        ({"lineItem": "100% S"}, [dear]),
        ({"lineItem": "1_0% s"}, []),
        ({"filingTypeCode": "OTANN", "status": "CREATED"}, [card]),
        ({"folioNumber": "F1"}, [old]),
        ({"createdBy": "partner"}, [dear, card, old]),
        ({"createdBy": "nobody"}, []),
        # The ledger's day is Pacific: it began at 08:00 UTC.
        ({"createdFrom": "2026-03-02"}, [dear, card]),
        ({"createdTo": "2026-03-01"}, [old]),
        ({"createdFrom": "2026-03-02", "createdTo": "2026-03-02"}, [dear, card]),
        ({"invoiceNumber": "REG777"}, [card]),
        ({"businessIdentifier": "BC1"}, [old]),
        ({"total": "33.08"}, [card, old]),
        ({"totalFrom": "33.09"}, [dear]),
        ({"totalTo": "33.08", "createdFrom": "2026-03-02"}, [card]),
    ):
        assert listed(partner, **query) == [invoice.pk for invoice in expected], query
    by_header = partner.get(INVOICES, Account_Id="A-PAD")
    assert [item["id"] for item in answered(by_header)["items"]] == [old.pk]


def test_what_a_credit_paid_is_found_as_such(partner: Partner) -> None:
    first, second = an_invoice("PAD"), an_invoice("PAD")
    settle(first.pk, evidence_of(first), actor=STAFF, at=datetime.now(UTC))
    a_credit(first, "10.00")
    apply_credit(second.pk, actor=STAFF, at=datetime.now(UTC))
    assert listed(partner, paymentMethod="CREDIT") == [second.pk]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"colour": "red"}, "colour", "unknown"),
        ({"status": ["PAID", "PAID"]}, "status", "repeated"),
        ({"status": "paid"}, "status", "invalid_choice"),
        ({"id": "0"}, "id", "min_value"),
        ({"id": "9" * 40}, "id", "max_value"),
        ({"id": "x"}, "id", "invalid"),
        ({"createdFrom": "2026-02-30"}, "createdFrom", "invalid"),
        ({"createdTo": "9999-12-31"}, "createdTo", "invalid"),
        ({"createdFrom": "0001-01-01"}, "createdFrom", "invalid"),
        ({"createdFrom": "2026-02-02", "createdTo": "2026-02-01"}, "createdTo", "before"),
        ({"total": "1.234"}, "total", "too-many-decimals"),
        ({"folioNumber": "a\x00"}, "folioNumber", "null_characters_not_allowed"),
        ({"limit": "201"}, "limit", "invalid"),
        ({"cursor": "zzz"}, "cursor", "invalid"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named(partner: Partner, query: dict[str, Any], field: str, code: str) -> None:
    assert refused(partner.get(INVOICES, query)) == [(field, code)]


def test_pages_follow_each_other_and_cost_the_same(partner: Partner) -> None:
    made = [an_invoice("PAD", at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=n // 2)).pk for n in range(7)]
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = answered(partner.get(INVOICES, query))
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == sorted(made, reverse=True)
    for limit in (1, 7):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(listed(partner, limit=limit)) == limit
        assert len(queries) <= MOST_QUERIES, [query["sql"] for query in queries]
