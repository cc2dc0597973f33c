"""Invoices are made once, in their method's first status, with what they are booked to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from invoices.models import Invoice, OutsideCall
from invoices.operations.refundapprovals import request_refund
from invoices.operations.settling import settle
from kernel.outbox.models import OutboxEvent
from tests.invoices.billed import AT, CLIENT, STAFF, an_invoice, evidence_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("method", "status", "released"),
    [
        ("PAD", "APPROVED", True),
        ("EFT", "APPROVED", True),
        ("EJV", "APPROVED", True),
        ("DIRECT_PAY", "CREATED", False),
        ("ONLINE_BANKING", "CREATED", False),
        ("INTERNAL", "PAID", True),
        ("DRAWDOWN", "CREATED", False),
    ],
)
def test_an_invoice_begins_in_the_first_status_of_its_method(method: str, status: str, released: bool) -> None:
    invoice = an_invoice(method)

    stored = Invoice.objects.get(pk=invoice.pk)
    assert (stored.status, stored.total, stored.gst) == (status, Decimal("33.08"), Decimal("1.58"))
    assert (stored.released_at is not None) is released
    assert OutboxEvent.objects.filter(event_type="invoice.released").count() == int(released)
    assert OutsideCall.objects.count() == int(method == "DRAWDOWN")


def test_a_settled_debit_is_paid_and_its_full_refund_becomes_a_credit() -> None:
    invoice = an_invoice("PAD")
    settled = settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)
    assert (settled.invoice.status, settled.is_new) == ("PAID", True)

    refund = request_refund(invoice.pk, None, reason="Twice", actor=CLIENT, scopes=["refunds:request"], at=AT)

    stored = Invoice.objects.get(pk=invoice.pk)
    assert (stored.status, stored.credited_amount, refund.status) == ("CREDITED", Decimal("33.08"), "PROCESSED")
    assert refund.credit is not None
    assert refund.credit.amount == Decimal("33.08")
