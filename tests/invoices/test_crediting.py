"""Credits of an account pay its invoices of their own method, the oldest first, and never more than they hold."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoices.models import Credit, CreditApplication, Invoice, Receipt
from invoices.operations.crediting import CreditNotForMethod, InvoiceOwesNothing, NoCreditLeft, apply_credit
from invoices.operations.settling import bounce, reopen, settle
from invoices.operations.stopping import cancel
from kernel.audit.models import AuditEntry
from kernel.outbox.models import OutboxEvent
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_credit,
    a_paid_invoice,
    a_part,
    a_payer,
    an_invoice,
    evidence_of,
    refund,
    stored,
)
from tests.invoices.traces import breaches, refused

pytestmark = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(hours=1)


def remaining() -> list[Decimal]:
    return [credit.remaining for credit in Credit.objects.order_by("pk")]


@pytest.mark.parametrize("method", ["PAD", "EFT", "ONLINE_BANKING"])
def test_a_credit_that_reaches_pays_at_once_and_lets_the_goods_go(method: str) -> None:
    credit = a_credit(method, "40.00")
    invoice = an_invoice(method)

    applied = apply_credit(invoice.pk, actor=STAFF, reason="The payer asked", at=LATER)

    assert (applied.amount, applied.invoice.status) == (Decimal("33.08"), "PAID")
    assert (stored(invoice).payment_date, stored(invoice).released_at is not None) == (LATER, True)
    assert remaining() == [Decimal("6.92")]
    receipt = Receipt.objects.get(invoice=invoice)
    assert (receipt.source, receipt.receipt_number) == ("credit", f"CREDIT{credit.pk}-1")
    entry = AuditEntry.objects.get(action="credit.applied")
    assert entry.after is not None
    assert (entry.reason, entry.after["invoice"]) == ("The payer asked", invoice.pk)
    assert breaches() == {}


def test_a_credit_that_does_not_reach_pays_its_part_and_the_rest_is_owed() -> None:
    a_credit("ONLINE_BANKING", "10.00")
    invoice = an_invoice("ONLINE_BANKING")

    apply_credit(invoice.pk, actor=STAFF, at=LATER)

    now = stored(invoice)
    assert (now.status, now.owing, now.payment_date) == ("PARTIAL_PAID", Decimal("23.08"), None)
    assert now.released_at is None
    released = [json.loads(event.body)["id"] for event in OutboxEvent.objects.filter(event_type="invoice.released")]
    assert invoice.pk not in released
    settle(invoice.pk, evidence_of(invoice, "REST", amount="23.08"), actor=STAFF, at=LATER)
    assert (stored(invoice).status, stored(invoice).released_at) == ("PAID", LATER)


def test_the_oldest_credit_is_used_up_first() -> None:
    for place in range(3):
        a_credit("PAD", "15.00", number=f"MORE{place}")
    invoice = an_invoice("PAD")

    applied = apply_credit(invoice.pk, actor=STAFF, at=LATER)

    assert [application.amount for application in applied.applications] == [
        Decimal("15.00"),
        Decimal("15.00"),
        Decimal("3.08"),
    ]
    assert remaining() == [Decimal("0.00"), Decimal("0.00"), Decimal("11.92")]


def test_credits_of_another_method_or_another_account_pay_nothing() -> None:
    a_credit("EFT", "40.00")
    other = an_invoice("PAD", account=a_payer("PAD", number="A-OTHER"))
    settle(other.pk, evidence_of(other, "MORE", amount="90.00"), actor=STAFF, at=AT)
    invoice = an_invoice("PAD", account=a_payer("PAD", number="A-MINE"))

    with refused(NoCreditLeft):
        apply_credit(invoice.pk, actor=STAFF, at=LATER)


@pytest.mark.parametrize("method", ["EJV", "DIRECT_PAY", "CC", "DRAWDOWN"])
def test_a_method_without_credits_is_not_paid_by_any(method: str) -> None:
    invoice = an_invoice(method)
    with refused(CreditNotForMethod):
        apply_credit(invoice.pk, actor=STAFF, at=LATER)


@pytest.mark.parametrize("stage", ["paid", "cancelled", "credited"])
def test_what_owes_nothing_is_not_paid_by_a_credit(stage: str) -> None:
    a_credit("PAD", "40.00")
    invoice = a_paid_invoice("PAD") if stage != "cancelled" else an_invoice("PAD")
    if stage == "cancelled":
        cancel(invoice.pk, actor=CLIENT, reason="Twice", at=AT)
    if stage == "credited":
        refund(invoice)
    with refused(InvoiceOwesNothing):
        apply_credit(invoice.pk, actor=STAFF, at=LATER)


def test_a_credit_that_is_used_up_pays_no_more() -> None:
    a_credit("PAD", "33.08")
    apply_credit(an_invoice("PAD").pk, actor=STAFF, at=LATER)
    invoice = an_invoice("PAD")
    with refused(NoCreditLeft):
        apply_credit(invoice.pk, actor=STAFF, at=LATER)


@pytest.mark.parametrize("undo", [bounce, reopen])
def test_what_a_credit_paid_goes_back_to_it_when_the_payment_is_taken_off(undo: Any) -> None:
    method = "PAD" if undo is bounce else "EFT"
    a_credit(method, "40.00")
    invoice = an_invoice(method)
    apply_credit(invoice.pk, actor=STAFF, at=AT)

    undo(invoice.pk, reason="Funds not cleared", actor=STAFF, at=LATER)

    assert remaining() == [Decimal("40.00")]
    first, back = CreditApplication.objects.order_by("pk")
    assert (back.reverses, back.amount, back.applied_at) == (first, Decimal("33.08"), LATER)
    # It may pay the same invoice again, under a number of its own.
    apply_credit(invoice.pk, actor=STAFF, at=LATER)
    assert (stored(invoice).status, remaining()) == ("PAID", [Decimal("6.92")])
    assert breaches() == {}


def test_the_memo_of_a_refund_pays_the_next_invoice() -> None:
    refunded = a_paid_invoice("PAD")
    refund(refunded, a_part(refunded, "20"))
    invoice = an_invoice("PAD")

    applied = apply_credit(invoice.pk, actor=STAFF, at=LATER)

    memo = applied.applications[0].credit
    assert (memo.kind, memo.source_invoice, applied.amount) == ("CREDIT_MEMO", refunded, Decimal("20.00"))


@pytest.mark.parametrize("applied", [Decimal("40.01"), Decimal("-0.01")])
def test_the_database_lets_no_credit_be_overdrawn(applied: Decimal) -> None:
    credit = a_credit("PAD", "40.00")
    with pytest.raises(IntegrityError, match="credit_applied_within_amount"), transaction.atomic():
        Credit.objects.filter(pk=credit.pk).update(applied_amount=applied)
    assert remaining() == [Decimal("40.00")]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(amounts=st.lists(st.integers(1, 6000), min_size=1, max_size=5), invoices=st.integers(1, 3))
def test_whatever_credits_there_are_no_cent_is_lost_or_made(amounts: list[int], invoices: int) -> None:
    account = a_payer("PAD", number=f"A-{Invoice.objects.count()}")
    for place, cents in enumerate(amounts):
        made = an_invoice("PAD", account=account)
        evidence = evidence_of(made, f"M{place}", amount=made.total + Decimal(cents).scaleb(-2))
        settle(made.pk, evidence, actor=STAFF, at=AT)
    held = Decimal(sum(amounts)).scaleb(-2)
    paid = Decimal(0)
    for _ in range(invoices):
        invoice = an_invoice("PAD", account=account)
        if held - paid:
            paid += apply_credit(invoice.pk, actor=STAFF, at=LATER).amount
        expected = min(held - (paid - stored(invoice).paid_amount), invoice.total)
        assert stored(invoice).paid_amount == expected

    left = sum(credit.remaining for credit in Credit.objects.filter(account=account))
    assert left == held - paid
    assert paid == min(held, invoices * Decimal("33.08"))
    assert breaches() == {}
