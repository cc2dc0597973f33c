"""Whatever is done to an invoice, in whatever order: it is done as the rules say, or refused and nothing changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from accounts.models import AccountLock, PaymentAccount
from invoices.balances import implied_status
from invoices.gateways import CardRefundState
from invoices.gateways.card import RefundLineState, RefundLineStatus
from invoices.invariants import INVARIANTS
from invoices.models import CardAttempt, Credit, CreditApplication, Invoice, Receipt, Refund
from invoices.operations.calling import note_card_refund
from invoices.operations.converting import convert_to_card
from invoices.operations.crediting import apply_credit
from invoices.operations.refunding import finish_refund, record_manual_refund, refuse_refund
from invoices.operations.settling import (
    bounce,
    charge_back,
    mark_overdue,
    note_gl_change,
    reopen,
    schedule,
    settle,
)
from invoices.operations.standing import lock_invoice, recount
from invoices.operations.stopping import cancel
from invoices.states import CreditKind, FeeType, InvoiceStatus
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError
from kernel.invariants.operations import verify
from kernel.outbox.models import OutboxEvent
from kernel.transactions import unit_of_work
from tests.invoices.billed import AT, CLIENT, STAFF, a_part, a_payer, an_invoice, evidence_of, refund

pytestmark = pytest.mark.django_db(transaction=True)
METHODS = ["PAD", "EJV", "EFT", "DIRECT_PAY", "CC", "ONLINE_BANKING", "INTERNAL", "DRAWDOWN"]
TABLES = (Receipt, Refund, Credit, CreditApplication, CardAttempt, AccountLock, AuditEntry, OutboxEvent)


def whole(invoice: Invoice, number: str) -> None:
    settle(invoice.pk, evidence_of(invoice, number), actor=STAFF, at=AT)


def part(invoice: Invoice, number: str) -> None:
    settle(invoice.pk, evidence_of(invoice, number, amount="10"), actor=STAFF, at=AT)


def too_much(invoice: Invoice, number: str) -> None:
    settle(invoice.pk, evidence_of(invoice, number, amount="50"), actor=STAFF, at=AT)


def the_same_again(invoice: Invoice, number: str) -> None:
    settle(invoice.pk, evidence_of(invoice, "SAME"), actor=STAFF, at=AT)


def in_ledger(invoice: Invoice, number: str) -> None:
    schedule(invoice.pk, invoice_number=f"L{number}", actor=STAFF, at=AT)


def bounced(invoice: Invoice, number: str) -> None:
    bounce(invoice.pk, reason="Funds not cleared", actor=STAFF, at=AT)


def reopened(invoice: Invoice, number: str) -> None:
    reopen(invoice.pk, reason="Matched wrongly", actor=STAFF, at=AT)


def overdue(invoice: Invoice, number: str) -> None:
    mark_overdue(invoice.pk, at=AT + timedelta(days=90))


def charged_back(invoice: Invoice, number: str) -> None:
    charge_back(invoice.pk, reason="The issuer says so", actor=STAFF, at=AT)


def gl_changed(invoice: Invoice, number: str) -> None:
    note_gl_change(invoice.pk, is_posted=False, actor=STAFF, at=AT)


def gl_posted(invoice: Invoice, number: str) -> None:
    note_gl_change(invoice.pk, is_posted=True, actor=STAFF, at=AT)


def cancelled(invoice: Invoice, number: str) -> None:
    cancel(invoice.pk, actor=CLIENT, reason="Changed my mind", at=AT)


def page_opened(invoice: Invoice, number: str) -> None:
    if not invoice.card_attempts.open().exists():
        CardAttempt.objects.create(
            invoice=invoice, status="CREATED", status_since=AT, amount=invoice.total, started_at=AT
        )


def undo(invoice: Invoice, number: str) -> None:
    refund(invoice)


def undo_part(invoice: Invoice, number: str) -> None:
    refund(invoice, a_part(invoice, "10"))


def undo_service_fee(invoice: Invoice, number: str) -> None:
    refund(invoice, a_part(invoice, "1.50", FeeType.SERVICE_FEES), a_part(invoice, "0.08", FeeType.SERVICE_GST))


def by_cheque(invoice: Invoice, number: str) -> None:
    record_manual_refund(invoice.pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


def part_by_cheque(invoice: Invoice, number: str) -> None:
    parts = [a_part(invoice, "10")]
    record_manual_refund(invoice.pk, parts, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


def _under_way(invoice: Invoice) -> Refund | None:
    return Refund.objects.processing().filter(invoice=invoice).order_by("pk").first()


def confirmed(invoice: Invoice, number: str) -> None:
    _outside_says(invoice, RefundLineStatus.PAID)


def refused(invoice: Invoice, number: str) -> None:
    _outside_says(invoice, RefundLineStatus.REJECTED)


def _outside_says(invoice: Invoice, status: RefundLineStatus) -> None:
    asked = _under_way(invoice)
    if asked is None:
        return
    if invoice.payment_method == "DIRECT_PAY":
        line = RefundLineState(1, asked.amount, status)
        state = CardRefundState("REG1", str(uuid4()), asked.amount, "RFND1", AT, (line,), "")
        note_card_refund(asked.pk, state, actor=STAFF, at=AT)
    elif status == RefundLineStatus.PAID:
        finish_refund(asked.pk, evidence="Journal 12", final_at=AT, actor=STAFF, at=AT)
    else:
        refuse_refund(asked.pk, error="No", actor=STAFF, at=AT)


def with_credit(invoice: Invoice, number: str) -> None:
    apply_credit(invoice.pk, actor=STAFF, at=AT)


def converted(invoice: Invoice, number: str) -> None:
    unit_of_work(lambda: convert_to_card(lock_invoice(invoice.pk), "CC", actor=CLIENT, at=AT))()


Act = Callable[[Invoice, str], None]
MONEY: tuple[Act, ...] = (whole, too_much, the_same_again)
ACTS: tuple[Act, ...] = (
    *(*MONEY, *MONEY, part),
    *(in_ledger, bounced, reopened, overdue, charged_back, gl_changed, gl_posted, cancelled, page_opened),
    *(undo, undo_part, undo_service_fee, by_cheque, part_by_cheque, confirmed, refused, with_credit, converted),
)


def refusal_of(act: Act, invoice: Invoice, number: str) -> str:
    """Why it was refused; empty when it was done."""
    try:
        act(invoice, number)
    except PaymentsiteError as refusal:
        return refusal.detail
    return ""


def counts() -> Counter[str]:
    return Counter({table.__name__: table._default_manager.count() for table in TABLES})


def row(invoice: Invoice) -> dict[str, Any]:
    return dict(Invoice.objects.filter(pk=invoice.pk).values().get())


def check(invoice: Invoice) -> None:
    """What is true of any invoice at any time."""
    now = Invoice.objects.get(pk=invoice.pk)
    said = (now.paid_amount, now.refunded_amount, now.credited_amount, now.manual_amount, now.pending_amount)
    recounted = Invoice.objects.get(pk=invoice.pk)
    unit_of_work(recount)(recounted)
    assert now.status == implied_status(now.facts)
    assert said == (
        recounted.paid_amount,
        recounted.refunded_amount,
        recounted.credited_amount,
        recounted.manual_amount,
        recounted.pending_amount,
    )
    assert now.facts.undone + now.pending_amount <= now.total
    assert 0 <= now.paid_amount <= now.total
    assert 0 <= now.owing <= now.total
    assert (now.payment_date is not None) == (now.paid_amount == now.total)
    if now.bounced_at is not None and now.cancelled_at is None:
        assert now.payment_date is None
    is_given_back = Refund.objects.filter(invoice=now, status="PROCESSED").exists()
    assert (now.refund_date is not None) == is_given_back
    if now.status in (InvoiceStatus.PAID, InvoiceStatus.CANCELLED, InvoiceStatus.DELETED):
        assert not now.references.active().exists()
    # No money is lost, and none is made: what came is on the invoice or a credit, once.
    came = Receipt.objects.filter(invoice=now, reverses=None).exclude(source="credit")
    excess = came.aggregate(sum=Sum("excess"))["sum"] or Decimal(0)
    on_account = Credit.objects.filter(source_invoice=now, kind=CreditKind.ON_ACCOUNT)
    assert (on_account.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)) == excess
    memos = Credit.objects.filter(source_invoice=now, kind=CreditKind.CREDIT_MEMO)
    assert (memos.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)) == now.credited_amount


def checked_events(invoice: Invoice, before: dict[str, Any], after: dict[str, Any], *, earlier: int) -> None:
    """A status that is another one is announced, by one event; one that is the same by none."""
    events = OutboxEvent.objects.filter(
        event_type="invoice.status-changed", subject=f"invoices/{invoice.pk}", position__gt=earlier
    ).order_by("position")
    bodies = [json.loads(event.body) for event in events]
    told = [(body["statusBefore"], body["status"]) for body in bodies]
    if before["status"] == after["status"]:
        assert told == []
    else:
        assert (told[0][0], told[-1][1]) == (before["status"], after["status"])
        assert all(one[1] == another[0] for one, another in pairwise(told))
        assert len(told) == 1 or len(told) <= CreditApplication.objects.filter(invoice=invoice).count()


def position() -> int:
    last = OutboxEvent.objects.order_by("-position").values_list("position", flat=True).first()
    return last if last is not None else -(2**62)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck), print_blob=True)
@given(acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=9))
def test_no_order_of_acts_breaks_an_invoice(method: str, acts: list[Act]) -> None:
    invoice = _an_invoice_of_somebody_new(method)
    check(invoice)

    for place, act in enumerate(acts):
        before, counted, earlier = row(invoice), counts(), position()
        now = Invoice.objects.get(pk=invoice.pk)
        note(f"{act.__name__} while {now.status}, paid {now.paid_amount}")
        if refusal := refusal_of(act, now, f"{place}-{invoice.pk}"):
            note(f"  refused: {refusal}")
            # Money that came is money that is kept, whatever the invoice is by now.
            assert act not in MONEY, refusal
            assert row(invoice) == before
            assert counts() == counted
        check(invoice)
        checked_events(invoice, before, row(invoice), earlier=earlier)

    outcomes = verify(only=[invariant.name for invariant in INVARIANTS], at=AT)
    assert [outcome.look.breaches for outcome in outcomes if outcome.is_broken] == []
    released = OutboxEvent.objects.filter(event_type="invoice.released", subject=f"invoices/{invoice.pk}").count()
    assert released == (Invoice.objects.get(pk=invoice.pk).released_at is not None)


def _an_invoice_of_somebody_new(method: str) -> Invoice:
    count = PaymentAccount.objects.count()
    PaymentAccount.objects.filter(account_number=f"A-{method}").update(account_number=f"A-{method}-{count}")
    account = a_payer(method, number=f"A-{method}")
    invoice = an_invoice(method, account=account)
    # Some credit to pay with, of a method that lends it.
    if method in ("PAD", "EFT", "ONLINE_BANKING") and count % 2:
        other = an_invoice(method, account=account)
        settle(other.pk, evidence_of(other, "MORE", amount=other.total + 10), actor=STAFF, at=AT)
    return invoice
