"""Calls to the outside, with the real clients and a gateway in a process of its own: done once, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from invoices.gateways import GatewayDown, GatewayRefused, OutcomeUnknown, PrepaidDebit, prepaid_gateway
from invoices.models import Invoice, OutsideCall, Receipt, Refund
from invoices.operations.calling import LEASE, CallUnderWay, NoSuchCall, make_call, sweep_call
from invoices.operations.cards import check_attempt, open_payment
from invoices.operations.refunding import RefundCallOpen, finish_refund, refuse_refund
from invoices.operations.settling import settle
from invoices.states import FeeType
from kernel.audit.models import AuditEntry
from kernel.outbox.models import OutboxEvent
from kernel.transactions import TransactionMisuse, unit_of_work
from tests.accounts.payers import at_once
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_part,
    a_payer,
    an_invoice,
    evidence_of,
    refund,
    stored,
)
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
RETURN = "http://localhost:3004/pay/return"


def at(**later: float) -> Callable[[], datetime]:
    """A clock that stands still, so much later than AT."""
    return lambda: AT + timedelta(**later)


def the_call(invoice: Invoice) -> OutsideCall:
    return OutsideCall.objects.get(invoice=invoice)


def number(invoice: Invoice) -> str:
    return f"REGT{invoice.pk:08d}"


def a_paid_card_invoice(simulators: RunningSimulators) -> Invoice:
    invoice = an_invoice("DIRECT_PAY")
    attempt = open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=AT)
    simulators.decide(attempt.pay_url)
    check_attempt(attempt.pk, clock=at())
    return stored(invoice)


def test_a_debit_is_made_once_and_pays_the_whole_invoice(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")

    first = make_call(the_call(invoice).pk, actor=CLIENT, clock=at(seconds=1))
    again = make_call(the_call(invoice).pk, actor=CLIENT, clock=at(seconds=2))

    assert (first.status, again.status, again.attempts) == ("SUCCEEDED", "SUCCEEDED", 1)
    paid = stored(invoice)
    assert (paid.status, paid.paid_amount, paid.payment_date) == ("PAID", Decimal("33.08"), AT + timedelta(seconds=1))
    assert [(debit["key"], debit["amount"]) for debit in simulators.debits()] == [(number(invoice), "0000003000")]
    receipt = Receipt.objects.get(invoice=invoice)
    assert (receipt.receipt_number, receipt.source, receipt.amount) == ("B00000001", "prepaid", Decimal("33.08"))
    assert first.answer is not None
    assert first.answer["receipt_number"] == "B00000001"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("5", "prepaid-account-invalid"),
        ("20", "prepaid-account-closed"),
        ("21", "prepaid-user-revoked"),
        ("48", "prepaid-account-revoked"),
        ("61", "prepaid-funds-insufficient"),
        ("99", "prepaid-refused"),
    ],
)
def test_a_refused_debit_stops_the_invoice_with_the_mainframe_s_reason(
    simulators: RunningSimulators, fault: str, code: str
) -> None:
    invoice = an_invoice("DRAWDOWN")
    simulators.fault("prepaid", "declined", code=fault)

    with pytest.raises(GatewayRefused) as refusal:
        make_call(the_call(invoice).pk, actor=CLIENT, clock=at())

    assert refusal.value.code == code
    assert (stored(invoice).status, stored(invoice).released_at) == ("CANCELLED", None)
    assert (the_call(invoice).status, the_call(invoice).error_code) == ("REFUSED", code)
    assert AuditEntry.objects.get(action="invoice.cancelled").reason == the_call(invoice).error_detail
    assert make_call(the_call(invoice).pk, clock=at(minutes=1)).status == "REFUSED"
    assert simulators.debits() == []


def test_a_refused_debit_leaves_alone_what_was_paid_otherwise_meanwhile(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    settle(invoice.pk, evidence_of(invoice, "CHEQUE 7"), actor=STAFF, at=AT)
    simulators.fault("prepaid", "declined", code="61")

    with pytest.raises(GatewayRefused):
        make_call(the_call(invoice).pk, actor=CLIENT, clock=at())

    assert (stored(invoice).status, stored(invoice).cancelled_at) == ("PAID", None)
    assert (the_call(invoice).status, the_call(invoice).error_code) == ("REFUSED", "prepaid-funds-insufficient")


@pytest.mark.parametrize(("fault", "code"), [("down", ""), ("declined", "7")])
def test_a_mainframe_that_is_away_has_done_nothing_and_the_repeat_is_the_first_debit(
    simulators: RunningSimulators, fault: str, code: str
) -> None:
    invoice = an_invoice("DRAWDOWN")
    simulators.fault("prepaid", fault, code=code, times=20)

    with pytest.raises(GatewayDown):
        make_call(the_call(invoice).pk, actor=CLIENT, clock=at())
    assert (stored(invoice).status, the_call(invoice).status, the_call(invoice).attempts) == ("CREATED", "PENDING", 1)
    assert the_call(invoice).next_attempt_at == AT + timedelta(seconds=30)

    simulators.clear()
    assert make_call(the_call(invoice).pk, actor=CLIENT, clock=at(seconds=5)).status == "SUCCEEDED"
    assert len(simulators.debits()) == 1


@pytest.mark.parametrize("fault", ["accept_then_time_out", "accept_then_reset", "accept_then_fail", "garbage"])
@pytest.mark.parametrize("by_sweep", [False, True])
def test_a_debit_without_a_usable_answer_is_never_made_twice(
    simulators: RunningSimulators, fault: str, by_sweep: bool
) -> None:
    invoice = an_invoice("DRAWDOWN")
    simulators.fault("prepaid", fault)
    with pytest.raises(OutcomeUnknown):
        make_call(the_call(invoice).pk, actor=CLIENT, clock=at())
    assert (stored(invoice).status, the_call(invoice).status) == ("CREATED", "UNKNOWN")

    asked_again = sweep_call if by_sweep else make_call
    call = asked_again(the_call(invoice).pk, clock=at(seconds=31))

    assert (call.status, call.attempts, stored(invoice).status) == ("SUCCEEDED", 2, "PAID")
    assert [debit["key"] for debit in simulators.debits()] == [number(invoice)]
    assert len([call for call in simulators.calls("prepaid", method="POST") if "debits" in call["path"]]) == 1
    assert Receipt.objects.filter(invoice=invoice).count() == 1


def test_a_process_that_died_between_its_commit_and_the_call_has_done_nothing(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    assert the_call(invoice).status == "PENDING"

    waits = sweep_call(the_call(invoice).pk, clock=at(minutes=1))
    assert (waits.status, stored(invoice).status, simulators.debits()) == ("UNKNOWN", "CREATED", [])
    done = make_call(the_call(invoice).pk, clock=at(minutes=2))

    assert (done.status, stored(invoice).status, len(simulators.debits())) == ("SUCCEEDED", "PAID", 1)


def test_a_process_that_died_after_the_debit_is_found_out_when_its_lease_is_over(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    # As all was when the process died: the call taken, the account debited, and no outcome noted.
    OutsideCall.objects.filter(invoice=invoice).update(status="SENT", attempts=1, next_attempt_at=AT + LEASE)
    request = the_call(invoice).request
    debit = {name: request[name] for name in ("key", "prepaid_user_id", "prepaid_account", "fee_code", "remarks")}
    prepaid_gateway().debit(PrepaidDebit(**debit, amount=Decimal(request["amount"])))

    with pytest.raises(CallUnderWay):
        make_call(the_call(invoice).pk, clock=at(seconds=119))
    assert the_call(invoice).status == "SENT"
    call = make_call(the_call(invoice).pk, clock=at(seconds=121))

    assert (call.status, call.attempts, stored(invoice).status) == ("SUCCEEDED", 2, "PAID")
    assert [debit["key"] for debit in simulators.debits()] == [number(invoice)]
    assert len(simulators.calls("prepaid", method="POST")) == 1, "It was repeated before anybody had looked."


def test_of_two_processes_at_once_one_makes_the_call_and_the_other_is_told(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    call_id = the_call(invoice).pk
    simulators.fault("prepaid", "slow", seconds=0.7)

    outcomes = at_once(lambda: make_call(call_id, clock=at()), times=4)

    done = [outcome for outcome in outcomes if isinstance(outcome, OutsideCall)]
    told = [outcome for outcome in outcomes if isinstance(outcome, CallUnderWay)]
    assert (len(done), len(told)) == (1, 3), outcomes
    assert (len(simulators.debits()), Receipt.objects.filter(invoice=invoice).count()) == (1, 1)
    assert stored(invoice).status == "PAID"


def test_the_sweep_gives_up_a_debit_that_nobody_asks_for_any_more_but_never_before(
    simulators: RunningSimulators,
) -> None:
    invoice = an_invoice("DRAWDOWN")

    early = sweep_call(the_call(invoice).pk, clock=at(minutes=14, seconds=59))
    assert (early.status, early.next_attempt_at) == ("UNKNOWN", AT + timedelta(minutes=15))
    late = sweep_call(the_call(invoice).pk, clock=at(minutes=15))

    assert (late.status, late.error_code, stored(invoice).status) == ("REFUSED", "given-up", "CANCELLED")
    assert OutboxEvent.objects.filter(event_type="invoice.payment-failed").count() == 1
    assert simulators.debits() == []
    assert make_call(the_call(invoice).pk, clock=at(minutes=16)).status == "REFUSED"
    assert simulators.debits() == []


def test_a_call_is_made_outside_of_transactions_only_and_must_be_known() -> None:
    with pytest.raises(TransactionMisuse):
        unit_of_work(lambda: make_call(uuid4(), clock=at()))()
    with pytest.raises(NoSuchCall):
        make_call(uuid4(), clock=at())


def test_a_card_refund_is_accepted_then_paid_back_with_the_order_s_own_lines(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    asked = refund(invoice, a_part(invoice, "10"), a_part(invoice, "1.50", FeeType.SERVICE_FEES))

    call = make_call(the_call(invoice).pk, clock=at(minutes=1))

    assert (call.status, Refund.objects.get(pk=asked.pk).status) == ("SUCCEEDED", "PROCESSING")
    (order,) = simulators.orders()
    (at_gateway,) = order["refunds"]
    assert (at_gateway["key"], at_gateway["amount"]) == (str(call.pk), "11.50")
    assert [(line["number"], line["amount"]) for line in at_gateway["lines"]] == [(1, "10.00"), (3, "1.50")]
    assert stored(invoice).status == "PAID"


@pytest.mark.parametrize("fault", ["accept_then_time_out", "accept_then_reset"])
def test_a_card_refund_that_was_accepted_without_an_answer_is_one_refund(
    simulators: RunningSimulators, fault: str
) -> None:
    invoice = a_paid_card_invoice(simulators)
    refund(invoice)
    simulators.fault("card", fault)
    with pytest.raises(OutcomeUnknown):
        make_call(the_call(invoice).pk, clock=at())
    assert (the_call(invoice).status, stored(invoice).status) == ("UNKNOWN", "REFUND_REQUESTED")

    call = sweep_call(the_call(invoice).pk, clock=at(minutes=5))
    make_call(call.pk, clock=at(minutes=6))

    assert call.status == "SUCCEEDED"
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_a_card_refund_that_is_refused_at_the_door_can_be_asked_for_again(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    first = refund(invoice)
    simulators.fault("card", "declined", code="not-now")

    with pytest.raises(GatewayRefused):
        make_call(the_call(invoice).pk, clock=at())

    assert (Refund.objects.get(pk=first.pk).status, stored(invoice).status) == ("REFUSED", "PAID")
    assert all(part == 0 for part in invoice.lines.values_list("undone_base_fees", flat=True))
    second = refund(stored(invoice))
    assert make_call(OutsideCall.objects.get(refund=second).pk, clock=at(minutes=1)).status == "SUCCEEDED"
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_nobody_ends_by_hand_what_the_gateway_is_being_asked_for(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    asked = refund(invoice)

    with pytest.raises(RefundCallOpen):
        finish_refund(asked.pk, evidence="Cheque 7", final_at=AT, actor=STAFF, at=AT)
    with pytest.raises(RefundCallOpen):
        refuse_refund(asked.pk, error="Too late", actor=STAFF, at=AT)

    assert (Refund.objects.get(pk=asked.pk).status, stored(invoice).status) == ("PROCESSING", "REFUND_REQUESTED")
    assert make_call(the_call(invoice).pk, clock=at()).status == "SUCCEEDED"


def test_two_processes_that_make_one_refund_at_once_make_one(simulators: RunningSimulators) -> None:
    invoice = a_paid_card_invoice(simulators)
    refund(invoice)
    call_id = the_call(invoice).pk
    simulators.fault("card", "slow", seconds=0.5)

    outcomes = at_once(lambda: make_call(call_id, clock=at()), times=4)

    assert sum(isinstance(outcome, OutsideCall) for outcome in outcomes) == 1
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_a_prepaid_account_of_the_order_comes_before_the_account_s_own(simulators: RunningSimulators) -> None:
    account = a_payer("DRAWDOWN")
    invoice = an_invoice("DRAWDOWN", account=account, prepaid_account="180671")

    make_call(the_call(invoice).pk, clock=at())

    assert [debit["account"] for debit in simulators.debits()] == ["180671"]
