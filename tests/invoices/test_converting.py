"""An online-banking invoice on which nothing is paid becomes a card's, by what the external ledger knows of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from invoices.models import Invoice
from invoices.operations.converting import CannotConvert, convert
from invoices.operations.settling import schedule, settle
from invoices.operations.stopping import cancel
from kernel.audit.models import AuditEntry
from tests.invoices.billed import AT, CLIENT, STAFF, a_paid_invoice, a_product, an_invoice, evidence_of, stored
from tests.invoices.traces import breaches, everything, refused

pytestmark = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(hours=1)


def to_card(invoice: Invoice, target: str = "CC") -> Invoice:
    return convert(invoice.pk, target, actor=CLIENT, reason="Rather by card", at=LATER)


def references(invoice: Invoice) -> list[tuple[str, str]]:
    return [(reference.invoice_number, reference.status) for reference in invoice.references.order_by("pk")]


@pytest.mark.parametrize("target", ["CC", "DIRECT_PAY"])
def test_what_the_ledger_does_not_know_is_sold_directly_under_its_own_number(target: str) -> None:
    invoice = an_invoice("ONLINE_BANKING")

    to_card(invoice, target)

    assert (stored(invoice).payment_method, stored(invoice).status) == ("DIRECT_PAY", "CREATED")
    assert references(invoice) == [(f"REGT{invoice.pk:08d}", "ACTIVE")]
    entry = AuditEntry.objects.get(action="invoice.method-changed")
    assert entry.after is not None
    assert (entry.reason, entry.after["payment_method_before"]) == ("Rather by card", "ONLINE_BANKING")


@pytest.mark.parametrize("target", ["CC", "DIRECT_PAY"])
def test_what_the_ledger_has_is_paid_by_card_under_the_ledger_s_number(target: str) -> None:
    # Of an invoice of the ledger it is not asked whether the product is sold by card.
    a_product(payment_methods=["ONLINE_BANKING"])
    invoice = an_invoice("ONLINE_BANKING")
    schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    assert stored(invoice).status == "SETTLEMENT_SCHED"

    to_card(invoice, target)

    now = stored(invoice)
    assert (now.payment_method, now.status, now.scheduled_at) == ("CC", "CREATED", None)
    assert references(invoice) == [("L1", "ACTIVE")]
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=LATER)
    assert (stored(invoice).status, references(invoice)) == ("PAID", [("L1", "COMPLETED")])
    assert breaches() == {}


def test_changing_it_again_changes_nothing() -> None:
    invoice = an_invoice("ONLINE_BANKING")
    to_card(invoice)
    before = everything()
    to_card(invoice)
    assert everything() == before


def test_a_product_that_is_not_sold_by_card_stays_with_the_bank() -> None:
    a_product(payment_methods=["ONLINE_BANKING", "CC"])
    invoice = an_invoice("ONLINE_BANKING")
    with refused(CannotConvert):
        to_card(invoice)


@pytest.mark.parametrize("target", ["PAD", "EFT", "INTERNAL", "", "x" * 500])
def test_it_is_changed_to_a_card_only(target: str) -> None:
    invoice = an_invoice("ONLINE_BANKING")
    with refused(CannotConvert):
        to_card(invoice, target)


@pytest.mark.parametrize("method", ["PAD", "EFT", "EJV", "DRAWDOWN"])
def test_only_online_banking_is_changed(method: str) -> None:
    invoice = an_invoice(method)
    with refused(CannotConvert):
        to_card(invoice)


@pytest.mark.parametrize("stage", ["part-paid", "paid", "deleted"])
def test_only_what_is_unpaid_is_changed(stage: str) -> None:
    invoice = a_paid_invoice("ONLINE_BANKING") if stage == "paid" else an_invoice("ONLINE_BANKING")
    if stage == "part-paid":
        settle(invoice.pk, evidence_of(invoice, amount=Decimal("0.01")), actor=STAFF, at=AT)
    if stage == "deleted":
        cancel(invoice.pk, actor=CLIENT, reason="Twice", at=AT)
    with refused(CannotConvert):
        to_card(invoice)
