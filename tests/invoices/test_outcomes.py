"""Every fault of the two outside systems, from the order to the end: done once or not at all, and known in the end."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import repeat

import pytest

from invoices.gateways import GatewayDown, HashWrong, OutcomeUnknown
from invoices.models import CardAttempt, Invoice, OutsideCall, Receipt, Refund
from invoices.operations.calling import make_call
from invoices.operations.cards import check_attempt, open_payment, take_return
from invoices.sweeping import sweep_attempts, sweep_calls, sweep_card_refunds
from kernel.errors import PaymentsiteError
from tests.invoices.billed import AT, CLIENT, an_invoice, refund, stored
from tests.invoices.cardorders import query_of
from tests.invoices.traces import breaches, refused
from tests.simulators.faults import FAULTS
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
# What the fault leaves of a debit that nobody asks for again: status of the invoice, of the call, debits in the book.
DEBITS = {
    "accept_then_time_out": ("PAID", "SUCCEEDED", 1),
    "accept_then_reset": ("PAID", "SUCCEEDED", 1),
    "accept_then_fail": ("PAID", "SUCCEEDED", 1),
    "garbage": ("PAID", "SUCCEEDED", 1),
    "wrong_hash": ("PAID", "SUCCEEDED", 1),
    "duplicate_call": ("PAID", "SUCCEEDED", 1),
    "declined": ("CANCELLED", "REFUSED", 0),
    "down": ("CANCELLED", "REFUSED", 0),
    "fail": ("CANCELLED", "REFUSED", 0),
    "reset": ("CANCELLED", "REFUSED", 0),
    "slow": ("PAID", "SUCCEEDED", 1),
}
# And of a refund to a card, which is asked for until it is known.
CARD_REFUNDS = dict.fromkeys(FAULTS, ("REFUNDED", "SUCCEEDED", 1)) | {"declined": ("PAID", "REFUSED", 0)}


def the_call(invoice: Invoice) -> OutsideCall:
    return OutsideCall.objects.get(invoice=invoice)


def go_wrong(simulators: RunningSimulators, system: str, fault: str) -> None:
    # A system that is down for a moment is waited for within one call: here it stays so.
    simulators.fault(system, fault, times=10 if fault == "down" else 1, seconds=0.3)


def sweep_all_day(*, day: int = 0) -> None:
    """The sweeps of the hours after the order, or of a later day, as the schedule would make them."""
    for minutes in (2, 16, 40, 120, 300):
        clock = repeat(AT + timedelta(days=day, minutes=minutes)).__next__
        for sweep in (sweep_calls, sweep_attempts, sweep_card_refunds):
            sweep(clock=clock)


def a_paid_card_invoice(simulators: RunningSimulators) -> Invoice:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    simulators.decide(attempt.pay_url)
    check_attempt(attempt.pk, clock=lambda: AT)
    return stored(invoice)


def a_page(invoice: Invoice) -> CardAttempt:
    return open_payment(invoice.pk, client_url="https://shop.test/", return_base="http://x/pay", actor=CLIENT, at=AT)


def test_every_fault_that_the_simulators_know_is_tried() -> None:
    assert set(DEBITS) == set(FAULTS)
    assert set(CARD_REFUNDS) == set(FAULTS)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_debit_is_made_once_or_never_whatever_goes_wrong(simulators: RunningSimulators, fault: str) -> None:
    invoice = an_invoice("DRAWDOWN")
    go_wrong(simulators, "prepaid", fault)

    with suppress(PaymentsiteError):
        make_call(the_call(invoice).pk, actor=CLIENT, clock=lambda: AT)
    sweep_all_day()

    debits = simulators.debits()
    assert (stored(invoice).status, the_call(invoice).status, len(debits)) == DEBITS[fault]
    assert [debit["amount"] for debit in debits] == ["0000003000"] * len(debits)
    paid = sum(receipt.amount for receipt in Receipt.objects.filter(invoice=invoice))
    assert (paid, Receipt.objects.count()) == (len(debits) * Decimal("33.08"), len(debits))
    assert breaches() == {}


@pytest.mark.parametrize("fault", ["fail", "reset", "down"])
def test_a_debit_that_did_not_happen_is_made_when_who_ordered_asks_again_in_time(
    simulators: RunningSimulators, fault: str
) -> None:
    invoice = an_invoice("DRAWDOWN")
    go_wrong(simulators, "prepaid", fault)
    with pytest.raises((GatewayDown, OutcomeUnknown)):
        make_call(the_call(invoice).pk, actor=CLIENT, clock=lambda: AT)
    simulators.clear()

    make_call(the_call(invoice).pk, actor=CLIENT, clock=lambda: AT + timedelta(minutes=3))
    sweep_all_day()

    assert (stored(invoice).status, len(simulators.debits())) == ("PAID", 1)
    assert breaches() == {}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_card_refund_is_made_once_or_refused_whatever_goes_wrong(simulators: RunningSimulators, fault: str) -> None:
    invoice = a_paid_card_invoice(simulators)
    asked = refund(invoice)
    go_wrong(simulators, "card", fault)

    with suppress(PaymentsiteError):
        make_call(the_call(invoice).pk, actor=CLIENT, clock=lambda: AT)
    sweep_all_day()
    call = the_call(invoice)
    if call.status == "SUCCEEDED":
        assert Refund.objects.get(pk=asked.pk).status == "PROCESSING"
        simulators.book(call.request["reference"], str(call.pk), "PAID")
    sweep_all_day(day=1)

    (order,) = simulators.orders()
    assert (stored(invoice).status, the_call(invoice).status, len(order["refunds"])) == CARD_REFUNDS[fault]
    assert stored(invoice).pending_amount == 0
    assert breaches() == {}


@pytest.mark.parametrize("fault", ["accept_then_time_out", "accept_then_reset", "wrong_hash"])
def test_a_payer_who_paid_and_did_not_come_back_is_found_by_the_sweep(
    simulators: RunningSimulators, fault: str
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    simulators.fault("card", fault)
    with suppress(OSError):
        returned = simulators.decide(attempt.pay_url, timeout=0.5)
        with refused(HashWrong):
            take_return(attempt.pk, query_of(returned), actor=CLIENT, clock=lambda: AT)
    assert stored(invoice).status == "CREATED"

    sweep_all_day()

    assert (stored(invoice).status, stored(invoice).paid_amount) == ("PAID", Decimal("33.08"))
    assert (Receipt.objects.count(), CardAttempt.objects.get().status) == (1, "COMPLETED")
    assert breaches() == {}


@pytest.mark.parametrize("fault", ["garbage", "wrong_hash", "down", "fail", "reset"])
def test_a_return_that_cannot_be_verified_now_is_verified_by_the_sweep(
    simulators: RunningSimulators, fault: str
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    returned = simulators.decide(attempt.pay_url)
    simulators.fault("card", fault, times=3)

    with pytest.raises(GatewayDown):
        take_return(attempt.pk, query_of(returned), actor=CLIENT, clock=lambda: AT)
    assert (stored(invoice).status, CardAttempt.objects.get().status) == ("CREATED", "CREATED")
    sweep_all_day()

    assert (stored(invoice).status, Receipt.objects.count()) == ("PAID", 1)
    assert breaches() == {}


def test_a_declined_card_costs_nothing_and_the_next_one_pays(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    first = a_page(invoice)
    simulators.fault("card", "declined")
    returned = simulators.decide(first.pay_url)

    outcome = take_return(first.pk, query_of(returned), actor=CLIENT, clock=lambda: AT)
    assert (outcome.attempt.status, outcome.attempt.reason_code) == ("FAILED", "The card was declined")
    assert (stored(invoice).status, Receipt.objects.count()) == ("CREATED", 0)

    second = a_page(invoice)
    returned = simulators.decide(second.pay_url)
    paid = take_return(second.pk, query_of(returned), actor=CLIENT, clock=lambda: AT)
    again = take_return(second.pk, query_of(returned), actor=CLIENT, clock=lambda: AT + timedelta(minutes=1))

    assert (paid.attempt.status, again.attempt.status) == ("COMPLETED", "COMPLETED")
    assert (stored(invoice).status, stored(invoice).payment_date, Receipt.objects.count()) == ("PAID", AT, 1)
    assert breaches() == {}
