from __future__ import annotations

import pytest

from invoices.models import Invoice
from tests.invoices.billed import a_payer, a_priced_filing
from tests.invoices.partners import INVOICES, Partner, an_order, answered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def test_what_is_quoted_is_what_is_invoiced(partner: Partner) -> None:
    a_payer("PAD")
    quoted = answered(partner.get("/api/v1/fees/CP/OTANN", {"accountNumber": "A-PAD"}))
    created = answered(partner.post(INVOICES, an_order()), 201)
    assert quoted["total"] == created["money"]["total"] == "33.08"
    assert created["status"] == "APPROVED"
    read = partner.get(f"{INVOICES}/{created['id']}")
    assert answered(read) == created
    [listed] = answered(partner.get(INVOICES))["items"]
    assert listed.items() <= created.items()
    assert Invoice.objects.count() == 1
