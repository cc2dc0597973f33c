"""What nobody asks for any more is asked by the sweeps, of the real client and a gateway in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from invoices.gateways import GatewayDown, OutcomeUnknown, PrepaidDebit, prepaid_gateway
from invoices.models import CardAttempt, Invoice, OutsideCall, Receipt, Refund
from invoices.operations.calling import make_call
from invoices.operations.cards import open_payment
from invoices.operations.refundapprovals import request_refund
from invoices.operations.stopping import cancel
from invoices.sweeping import (
    sweep_attempts,
    sweep_bookings,
    sweep_calls,
    sweep_card_refunds,
    sweep_drawdown_refunds,
    sweep_old_attempts,
    sweep_overdue,
)
from tests.invoices.billed import AT, CLIENT, STAFF, an_invoice
from tests.simulators.fixtures import simulators, simulators_process
from tests.simulators.running import RunningSimulators

__all__ = ["simulators", "simulators_process"]

pytestmark = pytest.mark.django_db(transaction=True)

RETURN = "http://localhost:3004/pay/return"


def at(**later: float) -> Callable[[], datetime]:
    """A clock that stands still, so much later than AT."""
    return lambda: AT + timedelta(**later)


def a_call(invoice: Invoice) -> OutsideCall:
    return OutsideCall.objects.get(invoice=invoice)


def stored(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def a_paid_card_invoice(simulators: RunningSimulators) -> Invoice:
    invoice = an_invoice("DIRECT_PAY")
    attempt = open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    simulators.decide(attempt.pay_url)
    sweep_attempts(clock=at(minutes=31))
    return stored(invoice)


def test_a_debit_whose_answer_never_came_is_found_and_the_invoice_is_paid_once(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    simulators.fault("prepaid", "accept_then_time_out")
    with pytest.raises(OutcomeUnknown):
        make_call(a_call(invoice).pk, clock=at())
    assert (stored(invoice).status, a_call(invoice).status) == ("CREATED", "UNKNOWN")

    swept = sweep_calls(clock=at(minutes=2))

    assert (swept.looked_at, swept.moved_on, swept.failures) == (1, 1, [])
    assert (stored(invoice).status, a_call(invoice).status) == ("PAID", "SUCCEEDED")
    assert [debit["key"] for debit in simulators.debits()] == [f"REGT{invoice.pk:08d}"]
    assert Receipt.objects.filter(invoice=invoice).count() == 1


def test_a_debit_that_never_happened_is_given_up_and_never_made_by_the_sweep(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    simulators.fault("prepaid", "down", times=None)
    with pytest.raises(GatewayDown):
        make_call(a_call(invoice).pk, clock=at())
    simulators.clear()

    before = sweep_calls(clock=at(minutes=1))
    after = sweep_calls(clock=at(minutes=16))

    assert (before.moved_on, after.moved_on) == (0, 1)
    assert (stored(invoice).status, a_call(invoice).status) == ("CANCELLED", "REFUSED")
    assert simulators.debits() == []


def test_a_payer_who_never_came_back_is_found_to_have_paid(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    simulators.decide(attempt.pay_url)

    early = sweep_attempts(clock=at(minutes=29))
    swept = sweep_attempts(clock=at(minutes=31))

    assert (early.looked_at, swept.looked_at, swept.moved_on) == (0, 1, 1)
    assert (stored(invoice).status, stored(invoice).paid_amount) == ("PAID", Decimal("33.08"))
    assert CardAttempt.objects.get().status == "COMPLETED"


def test_an_abandoned_invoice_is_deleted_when_its_page_is_given_up(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    assert cancel(invoice.pk, actor=CLIENT, reason="Changed my mind", at=AT).status == "DELETE_ACCEPTED"

    sweep_attempts(clock=at(hours=1))
    assert stored(invoice).status == "DELETE_ACCEPTED"
    sweep_attempts(clock=at(days=2, minutes=1))

    assert (stored(invoice).status, CardAttempt.objects.get().status) == ("DELETED", "CANCELLED")


def test_a_payment_on_a_page_that_was_left_open_counts_although_another_was_opened(
    simulators: RunningSimulators,
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    first = open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    simulators.decide(first.pay_url)

    sweep_attempts(clock=at(hours=1))

    assert stored(invoice).status == "PAID"
    assert Receipt.objects.filter(invoice=invoice).count() == 1


def test_a_card_refund_is_finished_when_the_gateway_has_paid_it(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    refund = request_refund(invoice.pk, None, reason="Not wanted", actor=CLIENT, scopes=["refunds:request"], at=AT)
    assert stored(invoice).status == "REFUND_REQUESTED"

    sweep_calls(clock=at(hours=1))
    call = a_call(invoice)
    waiting = sweep_card_refunds(clock=at(hours=1))
    simulators.book(call.request["reference"], str(call.pk), "PAID")
    swept = sweep_card_refunds(clock=at(hours=2))

    assert (waiting.moved_on, swept.moved_on) == (0, 1)
    assert (Refund.objects.get(pk=refund.pk).status, stored(invoice).status) == ("PROCESSED", "REFUNDED")
    assert stored(invoice).refund_date == AT + timedelta(hours=2)


@pytest.mark.parametrize(
    ("booking", "error", "posted", "kept"),
    [("CMPLT", "", True, ""), ("RJCT", "Closed GL code", False, "Closed GL code"), ("PAID", "", False, "")],
)
def test_what_is_paid_back_is_followed_until_it_is_booked_or_a_line_is_rejected(
    simulators: RunningSimulators, booking: str, error: str, posted: bool, kept: str
) -> None:
    invoice = a_paid_card_invoice(simulators)
    request_refund(invoice.pk, None, reason="Not wanted", actor=CLIENT, scopes=["refunds:request"], at=AT)
    sweep_calls(clock=at(hours=1))
    call = a_call(invoice)
    simulators.book(call.request["reference"], str(call.pk), "PAID")
    sweep_card_refunds(clock=at(hours=1))
    simulators.book(call.request["reference"], str(call.pk), booking, error=error)

    too_soon = sweep_bookings(clock=at(hours=1, minutes=9))
    swept = sweep_bookings(clock=at(hours=1, minutes=10))
    again = sweep_bookings(clock=at(hours=1, minutes=20))

    refund = Refund.objects.get()
    assert (too_soon.looked_at, swept.looked_at, again.looked_at) == (0, 1, 0)
    assert (refund.status, stored(invoice).status) == ("PROCESSED", "REFUNDED")
    assert (refund.gl_posted_at is not None, refund.gl_error) == (posted, kept)
    assert sweep_bookings(clock=at(hours=4)).looked_at == (booking == "PAID")
    assert sweep_bookings(clock=at(days=31)).looked_at == 0


def test_a_rejected_card_refund_leaves_the_invoice_paid_and_refundable(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    request_refund(invoice.pk, None, reason="Not wanted", actor=CLIENT, scopes=["refunds:request"], at=AT)
    sweep_calls(clock=at(hours=1))
    call = a_call(invoice)
    simulators.book(call.request["reference"], str(call.pk), "RJCT", error="Closed GL code")

    sweep_card_refunds(clock=at(hours=2))

    assert (stored(invoice).status, stored(invoice).pending_amount) == ("PAID", Decimal("0.00"))
    assert Refund.objects.get().gl_error == "Closed GL code"
    assert all(line.undone_base_fees == 0 for line in invoice.lines.all())


def test_a_reversed_debit_finishes_the_refund_of_a_drawdown(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    make_call(a_call(invoice).pk, clock=at())
    request_refund(invoice.pk, None, reason="Twice", actor=CLIENT, scopes=["refunds:request"], at=AT)

    before = sweep_drawdown_refunds(clock=at(days=1))
    simulators.reverse(f"REGT{invoice.pk:08d}")
    after = sweep_drawdown_refunds(clock=at(days=2))

    assert (before.looked_at, before.moved_on, after.moved_on, after.failures) == (1, 0, 1, [])
    assert stored(invoice).status == "REFUNDED"


def test_a_gateway_that_is_away_is_named_and_nothing_changes(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    simulators.fault("card", "down", times=None)

    swept = sweep_attempts(clock=at(hours=1))

    assert (swept.looked_at, swept.moved_on, len(swept.failures)) == (1, 0, 1)
    assert stored(invoice).status == "CREATED"


def test_only_transfers_past_their_date_are_marked_and_lock_their_account() -> None:
    due, young, debit = an_invoice("EFT"), an_invoice("EFT", at=AT + timedelta(days=90)), an_invoice("PAD")

    swept = sweep_overdue(clock=at(days=60))

    assert (swept.looked_at, swept.moved_on) == (1, 1)
    assert [stored(invoice).status for invoice in (due, young, debit)] == ["OVERDUE", "APPROVED", "APPROVED"]
    assert [lock.kind for lock in due.account.locks.all()] == ["OVERDUE_EFT"]
    assert STAFF.name != due.account.locks.get().locked_by


def test_a_debit_of_another_amount_under_our_number_pays_nothing(simulators: RunningSimulators) -> None:
    invoice, call = (made := an_invoice("DRAWDOWN")), a_call(made)
    strange = PrepaidDebit(call.request["key"], "PB0001", "180670", Decimal("1.00"), "FULL")
    prepaid_gateway().debit(strange)
    with pytest.raises(OutcomeUnknown):
        make_call(call.pk, clock=at())

    swept = sweep_calls(clock=at(minutes=30))

    assert (swept.moved_on, len(swept.failures)) == (0, 1)
    assert (stored(invoice).status, stored(invoice).paid_amount) == ("CREATED", Decimal("0.00"))
    assert a_call(invoice).error_code == "gateway-key-used-otherwise"


def test_a_page_that_was_left_open_for_weeks_may_still_be_paid_on(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    sweep_attempts(clock=at(days=2, minutes=1))
    assert (stored(invoice).status, CardAttempt.objects.get().status) == ("CREATED", "CANCELLED")
    simulators.decide(attempt.pay_url)

    often, daily = sweep_attempts(clock=at(days=29)), sweep_old_attempts(clock=at(days=29))

    assert (often.looked_at, daily.looked_at, daily.moved_on) == (0, 1, 1)
    assert (stored(invoice).status, stored(invoice).payment_date) == ("PAID", AT + timedelta(days=29))
    assert CardAttempt.objects.get().status == "COMPLETED"
    assert sweep_old_attempts(clock=at(days=30)).looked_at == 0


@pytest.mark.parametrize(("method", "last_day"), [("DIRECT_PAY", 30), ("CC", 90)])
def test_old_card_payments_are_asked_about_once_a_day_and_not_for_ever(
    simulators: RunningSimulators, method: str, last_day: int
) -> None:
    invoice = an_invoice(method)
    open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    sweep_attempts(clock=at(days=2, minutes=1))

    assert sweep_old_attempts(clock=at(days=3)).looked_at == 0
    assert sweep_old_attempts(clock=at(days=3, minutes=1)).looked_at == 1
    assert sweep_old_attempts(clock=at(days=4)).looked_at == 0
    assert sweep_old_attempts(clock=at(days=last_day - 1)).looked_at == 1
    assert sweep_old_attempts(clock=at(days=last_day)).looked_at == 0
    assert (stored(invoice).status, CardAttempt.objects.get().status) == ("CREATED", "CANCELLED")


def test_a_payment_on_a_declined_page_is_found_although_no_page_is_open_any_more(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    simulators.decide(attempt.pay_url, pays=False)
    sweep_attempts(clock=at(minutes=31))
    assert CardAttempt.objects.get().status == "FAILED"
    simulators.decide(attempt.pay_url)

    too_soon, swept = sweep_attempts(clock=at(hours=6)), sweep_attempts(clock=at(hours=6, minutes=31))

    assert (too_soon.looked_at, swept.looked_at, swept.moved_on) == (0, 1, 1)
    assert (stored(invoice).status, CardAttempt.objects.get().status) == ("PAID", "COMPLETED")


def test_an_accepted_refund_is_asked_about_every_ten_minutes_and_not_with_every_sweep(
    simulators: RunningSimulators,
) -> None:
    invoice = a_paid_card_invoice(simulators)
    request_refund(invoice.pk, None, reason="Not wanted", actor=CLIENT, scopes=["refunds:request"], at=AT)
    sweep_calls(clock=at(hours=1))

    looked = [sweep_card_refunds(clock=at(hours=1, minutes=minutes)).looked_at for minutes in (0, 1, 9, 10, 11, 20)]

    assert looked == [1, 0, 0, 1, 0, 1]


def test_a_refund_that_the_gateway_has_forgotten_is_named_and_stays_under_way(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    request_refund(invoice.pk, None, reason="Not wanted", actor=CLIENT, scopes=["refunds:request"], at=AT)
    sweep_calls(clock=at(hours=1))
    simulators.clear()

    swept = sweep_card_refunds(clock=at(hours=2))

    assert (swept.looked_at, swept.moved_on, len(swept.failures)) == (1, 0, 1)
    assert "does not know it any more" in swept.failures[0]
    assert (stored(invoice).status, Refund.objects.get().status) == ("REFUND_REQUESTED", "PROCESSING")
