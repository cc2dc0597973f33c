"""Two who write about one invoice, one credit or one account at the same moment: each thing happens once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db.models import Sum

from accounts.models import AccountLock
from invoices.models import CardAttempt, Credit, CreditApplication, Invoice, Receipt, Refund
from invoices.operations.cards import open_payment
from invoices.operations.converting import CannotConvert, convert
from invoices.operations.crediting import AppliedCredit, InvoiceOwesNothing, NoCreditLeft, apply_credit
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refunding import finish_refund, refuse_refund
from invoices.operations.refundplans import NothingLeftToRefund, RefundNotAllowed, RefundPartsUnfit
from invoices.operations.settling import Settled, bounce, mark_overdue, schedule, settle
from invoices.operations.stopping import CannotCancel, cancel
from kernel.errors import PaymentsiteError
from kernel.outbox.models import OutboxEvent
from tests.accounts.payers import at_once
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_credit,
    a_paid_invoice,
    a_part,
    an_invoice,
    evidence_of,
    refund,
    stored,
)
from tests.invoices.traces import breaches, side_by_side
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
# How often two meet, so that each comes first now and then.
ROUNDS = 8
TOTAL = Decimal("33.08")


def pay(invoice: Invoice, number: str = "R1") -> Settled:
    return settle(invoice.pk, evidence_of(invoice, number), actor=STAFF, at=AT)


def stop(invoice: Invoice) -> Invoice:
    return cancel(invoice.pk, actor=CLIENT, reason="Changed my mind", at=AT)


def kinds(outcomes: list[Any]) -> Counter[str]:
    return Counter(type(outcome).__name__ for outcome in outcomes)


def unexpected(outcomes: list[Any], *allowed: type[PaymentsiteError]) -> list[Any]:
    """What was raised and should not have been: a deadlock, a broken constraint."""
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException) and not isinstance(outcome, allowed)]


def on_account(invoice: Invoice) -> Decimal:
    found = Credit.objects.filter(source_invoice=invoice).aggregate(sum=Sum("amount"))["sum"]
    return found or Decimal("0.00")


def test_one_receipt_told_by_eight_at_once_is_booked_once() -> None:
    invoice = an_invoice("PAD")

    outcomes = at_once(lambda: pay(invoice))

    assert kinds(outcomes) == {"Settled": 8}, outcomes
    assert sum(outcome.is_new for outcome in outcomes) == 1
    assert (Receipt.objects.count(), Credit.objects.count(), stored(invoice).status) == (1, 0, "PAID")
    assert OutboxEvent.objects.filter(event_type="invoice.status-changed").count() == 1


def test_eight_receipts_at_once_pay_once_and_seven_become_credits() -> None:
    invoice = an_invoice("PAD")
    names = [f"R{place}" for place in range(8)]

    outcomes = at_once(lambda: pay(invoice, names.pop()))

    assert kinds(outcomes) == {"Settled": 8}, outcomes
    assert (stored(invoice).status, stored(invoice).paid_amount) == ("PAID", TOTAL)
    assert on_account(invoice) == 7 * TOTAL
    assert breaches() == {}


def test_money_and_a_cancellation_at_once_lose_no_money() -> None:
    for _ in range(ROUNDS):
        invoice = an_invoice("PAD")

        outcomes = side_by_side(partial(pay, invoice), partial(stop, invoice))

        assert unexpected(outcomes, CannotCancel) == []
        now = stored(invoice)
        was_stopped = not any(isinstance(outcome, CannotCancel) for outcome in outcomes)
        expected = ("CANCELLED", Decimal(0), TOTAL) if was_stopped else ("PAID", TOTAL, Decimal(0))
        assert (now.status, now.paid_amount, on_account(now)) == expected
    assert breaches() == {}


def test_money_and_a_full_refund_at_once_leave_it_owed_back_once() -> None:
    for _ in range(ROUNDS):
        invoice = an_invoice("EJV")

        outcomes = side_by_side(partial(pay, invoice), partial(refund, invoice))

        assert unexpected(outcomes) == []
        asked, now = Refund.objects.get(invoice=invoice), stored(invoice)
        # Refunded first, it was stopped, and the money is the account's; paid first, the money is to go back.
        expected = {
            "CANCEL": ("CANCELLED", Decimal(0), TOTAL, Decimal(0)),
            "MONEY_BACK": ("REFUND_REQUESTED", TOTAL, Decimal(0), TOTAL),
        }[asked.outcome]
        assert (now.status, now.paid_amount, on_account(now), now.pending_amount) == expected
    assert breaches() == {}


def test_eight_refunds_of_one_part_at_once_never_take_more_than_the_fee() -> None:
    invoice = a_paid_invoice("PAD")
    part = a_part(invoice, "10.00")

    outcomes = at_once(lambda: refund(invoice, part))

    assert kinds(outcomes) == {"Refund": 3, "RefundPartsUnfit": 5}, outcomes
    line = invoice.lines.get()
    assert (line.undone_base_fees, line.base_fees) == (Decimal("30.00"), Decimal("30.00"))
    assert stored(invoice).credited_amount == Decimal("30.00")
    assert Refund.objects.count() == 3
    assert breaches() == {}


def test_of_eight_full_refunds_at_once_one_is_taken() -> None:
    invoice = a_paid_invoice("PAD")

    outcomes = at_once(lambda: refund(invoice))

    assert unexpected(outcomes, NothingLeftToRefund, RefundNotAllowed) == []
    assert (kinds(outcomes)["Refund"], Refund.objects.count(), Credit.objects.count()) == (1, 1, 1)
    assert (stored(invoice).status, stored(invoice).credited_amount) == ("CREDITED", TOTAL)


def test_a_part_and_all_of_it_at_once_never_give_back_more_than_was_paid() -> None:
    for place in range(ROUNDS):
        invoice = a_paid_invoice("PAD", number=f"R{place}")
        part = a_part(invoice, "30.00")

        outcomes = side_by_side(
            partial(refund, invoice, part),
            partial(refund, invoice),
        )

        assert unexpected(outcomes, RefundPartsUnfit, RefundNotAllowed, NothingLeftToRefund) == []
        # All of it: at once, or as what the part has left.
        assert (stored(invoice).status, stored(invoice).credited_amount) == ("CREDITED", TOTAL)
        assert on_account(invoice) == TOTAL
    assert breaches() == {}


def test_one_credit_for_four_invoices_at_once_is_never_overdrawn() -> None:
    credit = a_credit("PAD", "40.00")
    waiting = [an_invoice("PAD") for _ in range(4)]
    invoices = list(waiting)

    outcomes = at_once(lambda: apply_credit(waiting.pop().pk, actor=STAFF, at=AT), times=4)

    assert unexpected(outcomes, NoCreditLeft) == []
    applied = sorted(outcome.amount for outcome in outcomes if isinstance(outcome, AppliedCredit))
    assert applied == [Decimal("6.92"), Decimal("33.08")]
    credit.refresh_from_db()
    assert (credit.applied_amount, credit.remaining) == (Decimal("40.00"), Decimal("0.00"))
    assert sorted(stored(invoice).status for invoice in invoices) == ["APPROVED", "APPROVED", "PAID", "PARTIAL_PAID"]
    assert breaches() == {}


def test_several_credits_for_one_invoice_at_once_pay_it_once() -> None:
    for place in range(3):
        a_credit("PAD", "20.00", number=f"MORE{place}")
    invoice = an_invoice("PAD")

    outcomes = at_once(lambda: apply_credit(invoice.pk, actor=STAFF, at=AT))

    assert kinds(outcomes) == {"AppliedCredit": 1, "InvoiceOwesNothing": 7}, outcomes
    taken = CreditApplication.objects.aggregate(sum=Sum("amount"))["sum"]
    assert (taken, stored(invoice).paid_amount, stored(invoice).status) == (TOTAL, TOTAL, "PAID")
    assert breaches() == {}


def test_a_credit_and_the_money_at_once_pay_the_invoice_and_keep_the_rest() -> None:
    for place in range(1, ROUNDS + 1):
        a_credit("PAD", "10.00", number=f"MORE{place}")
        invoice = an_invoice("PAD")

        outcomes = side_by_side(partial(pay, invoice), partial(apply_credit, invoice.pk, actor=STAFF, at=AT))

        assert unexpected(outcomes, InvoiceOwesNothing) == []
        assert (stored(invoice).status, stored(invoice).paid_amount) == ("PAID", TOTAL)
        # What a credit paid of it came too much afterwards, and is a credit again.
        left = sum(credit.remaining for credit in Credit.objects.all())
        assert left == 10 * place
    assert breaches() == {}


def test_eight_who_open_the_card_page_at_once_leave_one_open(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")

    outcomes = at_once(
        lambda: open_payment(
            invoice.pk, client_url="https://shop.test/", return_base="http://localhost/pay", actor=CLIENT, at=AT
        )
    )

    assert kinds(outcomes) == {"CardAttempt": 8}, outcomes
    assert Counter(CardAttempt.objects.values_list("status", flat=True)) == {"CREATED": 1, "CANCELLED": 7}


def test_the_due_date_and_the_money_at_once_leave_no_lock_on_who_has_paid() -> None:
    for place in range(ROUNDS):
        invoice = an_invoice("EFT")

        outcomes = side_by_side(
            partial(pay, invoice, f"D{place}"),
            partial(mark_overdue, invoice.pk, at=invoice.overdue_date),
        )

        assert unexpected(outcomes) == []
        assert (stored(invoice).status, stored(invoice).overdue_at) == ("PAID", None)
        assert not AccountLock.objects.live().exists()


def test_two_overdue_transfers_paid_at_once_free_their_account() -> None:
    for place in range(ROUNDS):
        both = [an_invoice("EFT"), an_invoice("EFT")]
        for invoice in both:
            mark_overdue(invoice.pk, at=invoice.overdue_date)
        assert AccountLock.objects.live().count() == 1

        outcomes = side_by_side(*(partial(pay, invoice, f"D{place}") for invoice in both))

        assert unexpected(outcomes) == []
        assert [stored(invoice).status for invoice in both] == ["PAID", "PAID"]
        assert AccountLock.objects.live().count() == 0


def test_a_payer_who_gives_up_and_pays_at_once_has_paid() -> None:
    for place in range(ROUNDS):
        invoice = an_invoice("DIRECT_PAY")

        outcomes = side_by_side(
            partial(pay, invoice, f"C{place}"),
            partial(stop, invoice),
        )

        assert unexpected(outcomes, CannotCancel) == []
        now = stored(invoice)
        assert (now.status, now.paid_amount, now.deleted_at, on_account(now)) == ("PAID", TOTAL, None, Decimal(0))
    assert breaches() == {}


def test_one_bounce_told_by_eight_at_once_is_taken_back_once() -> None:
    invoice = a_paid_invoice("PAD")

    outcomes = at_once(lambda: bounce(invoice.pk, reason="Funds not cleared", actor=STAFF, at=AT))

    assert kinds(outcomes) == {"Invoice": 8}, outcomes
    assert Receipt.objects.filter(reverses__isnull=False).count() == 1
    assert (stored(invoice).status, AccountLock.objects.count()) == ("SETTLEMENT_SCHED", 1)


def test_eight_who_cancel_at_once_stop_it_once() -> None:
    invoice = an_invoice("PAD")

    outcomes = at_once(lambda: stop(invoice))

    assert kinds(outcomes) == {"Invoice": 8}, outcomes
    assert stored(invoice).status == "CANCELLED"
    assert OutboxEvent.objects.filter(event_type="invoice.reversed").count() == 1


def test_a_ledger_number_and_a_cancellation_at_once_never_stop_what_the_ledger_has() -> None:
    for _ in range(ROUNDS):
        invoice = an_invoice("PAD")

        side_by_side(
            partial(schedule, invoice.pk, invoice_number=f"L{invoice.pk}", actor=STAFF, at=AT),
            partial(stop, invoice),
        )

        in_ledger = invoice.references.active().exists()
        assert (stored(invoice).status, in_ledger) in {("APPROVED", True), ("CANCELLED", False)}


def test_a_confirmation_and_a_refusal_of_one_refund_at_once_end_it_once() -> None:
    for place in range(ROUNDS):
        invoice = a_paid_invoice("EJV", number=f"R{place}")
        asked = request_refund(invoice.pk, None, reason="Twice", actor=CLIENT, scopes=["refunds:request"], at=AT)
        later = AT + timedelta(days=1)

        outcomes = side_by_side(
            partial(finish_refund, asked.pk, evidence="Journal 12", final_at=later, actor=STAFF, at=later),
            partial(refuse_refund, asked.pk, error="No", actor=STAFF, at=later),
        )

        assert kinds(outcomes) == {"Refund": 1, "IllegalRefundMove": 1}, outcomes
        ended = (Refund.objects.get(pk=asked.pk).status, stored(invoice).status)
        assert ended in {("PROCESSED", "REFUNDED"), ("REFUSED", "PAID")}
    assert breaches() == {}


def test_a_change_to_card_and_the_bank_s_money_at_once_pay_it_once() -> None:
    for place in range(ROUNDS):
        invoice = an_invoice("ONLINE_BANKING")

        outcomes = side_by_side(
            partial(pay, invoice, f"B{place}"),
            partial(convert, invoice.pk, "CC", actor=CLIENT, at=AT),
        )

        assert unexpected(outcomes, CannotConvert) == []
        assert (stored(invoice).status, stored(invoice).paid_amount, on_account(invoice)) == ("PAID", TOTAL, Decimal(0))
    assert breaches() == {}
