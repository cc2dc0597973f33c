"""The card gateway's client against the simulator in its own process, with everything that can go wrong there."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings

from invoices.gateways import (
    CardGateway,
    CardOrderStatus,
    CardRefund,
    CardRefundRefused,
    GatewayDown,
    OutcomeUnknown,
    RefundLineStatus,
    card_gateway,
)
from invoices.gateways.errors import AnswerUnusable, KeyUsedOtherwise
from tests.invoices.cardorders import FEES, REFERENCE, SERVICE, an_order
from tests.simulators.running import RunningSimulators

ALL = CardRefund(REFERENCE, "REFUND-1", Decimal("21.50"), (FEES, SERVICE))
PART = CardRefund(REFERENCE, "REFUND-2", Decimal("8.29"), (dataclasses.replace(FEES, amount=Decimal("8.29")),))


@pytest.fixture
def card(simulators: RunningSimulators) -> CardGateway:
    return card_gateway()


@pytest.fixture
def paid(simulators: RunningSimulators, card: CardGateway) -> UUID:
    """An order that the payer has paid; its transaction."""
    order = an_order()
    simulators.decide(card.payment_link(order))
    return order.transaction_id


def test_a_refund_gives_back_what_its_lines_say(simulators: RunningSimulators, card: CardGateway, paid: UUID) -> None:
    state = card.refund(PART)
    assert (state.reference, state.key, state.amount) == (REFERENCE, "REFUND-2", Decimal("8.29"))
    assert [(line.number, line.amount, line.status) for line in state.lines] == [
        (1, Decimal("8.29"), RefundLineStatus.IN_PROGRESS)
    ]
    assert not state.is_paid
    assert card.find_refund(REFERENCE, "REFUND-2") == state
    assert card.find_order(REFERENCE).refunds == (state,)


@pytest.mark.parametrize(
    ("booking", "paid_out", "complete", "rejected"),
    [
        ("INPRG", False, False, False),
        ("PAID", True, False, False),
        ("CMPLT", True, True, False),
        ("RJCT", False, False, True),
        ("DECLINED", False, False, True),
    ],
)
def test_a_refund_says_how_far_it_is(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
    booking: str,
    paid_out: bool,
    complete: bool,
    rejected: bool,
) -> None:
    card.refund(ALL)
    simulators.book(REFERENCE, "REFUND-1", booking, error="GL code 1117" if rejected else "")
    state = card.find_refund(REFERENCE, "REFUND-1")
    assert state is not None
    assert (state.is_paid, state.is_complete, state.is_rejected) == (paid_out, complete, rejected)
    assert state.error == ("GL code 1117" if rejected else "")


def test_the_same_key_gives_back_once_however_often_it_is_asked(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
) -> None:
    states = [card.refund(ALL) for _ in range(3)]
    assert states == [states[0]] * 3
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]
    assert {call["key"] for call in simulators.calls("card", method="POST")} == {"REFUND-1"}


def test_the_same_key_at_once_from_many_gives_back_once(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
) -> None:
    barrier, states = threading.Barrier(16), []

    def ask() -> None:
        barrier.wait(10)
        states.append(card.refund(ALL))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(states) == 16
    assert {state.refund_number for state in states} == {"RFND00000001"}
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_the_same_key_for_another_amount_is_no_refusal_because_the_first_was_done(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
) -> None:
    card.refund(PART)
    with pytest.raises(KeyUsedOtherwise):
        card.refund(dataclasses.replace(ALL, key=PART.key))
    assert [refund["amount"] for refund in simulators.orders()[0]["refunds"]] == ["8.29"]


def refuse_by_fault(simulators: RunningSimulators, card: CardGateway) -> None:
    simulators.fault("card", "declined")


def refuse_by_amount(simulators: RunningSimulators, card: CardGateway) -> None:
    card.refund(PART)


@pytest.mark.parametrize(
    ("before", "refunds", "fault"), [(refuse_by_fault, 0, "declined"), (refuse_by_amount, 1, "exceeds-line")]
)
def test_a_refund_that_is_refused_gives_nothing_back_and_says_why(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
    before: Callable[[RunningSimulators, CardGateway], None],
    refunds: int,
    fault: str,
) -> None:
    before(simulators, card)
    with pytest.raises(CardRefundRefused) as caught:
        card.refund(ALL)
    assert caught.value.fault == fault
    assert len(simulators.orders()[0]["refunds"]) == refunds
    assert card.find_refund(REFERENCE, "REFUND-1") is None


def test_what_was_never_paid_is_not_refunded(simulators: RunningSimulators, card: CardGateway) -> None:
    with pytest.raises(CardRefundRefused):
        card.refund(ALL)
    assert simulators.orders() == []


@pytest.mark.parametrize(
    "fault", ["accept_then_time_out", "accept_then_reset", "accept_then_fail", "garbage", "wrong_hash"]
)
def test_a_refund_of_unknown_outcome_is_found_and_repeated_without_giving_back_twice(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
    fault: str,
) -> None:
    simulators.fault("card", fault)
    with pytest.raises(OutcomeUnknown):
        card.refund(ALL)
    found = card.find_refund(REFERENCE, "REFUND-1")
    assert found is not None
    assert card.refund(ALL) == found
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]
    assert len(simulators.calls("card", method="POST")) == 2


@pytest.mark.parametrize("fault", ["fail", "reset"])
def test_a_refund_that_was_lost_leaves_its_outcome_unknown_and_is_not_found(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
    fault: str,
) -> None:
    simulators.fault("card", fault)
    with pytest.raises(OutcomeUnknown):
        card.refund(ALL)
    assert card.find_refund(REFERENCE, "REFUND-1") is None
    assert card.refund(ALL).amount == Decimal("21.50")
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_a_request_that_arrives_twice_gives_back_once(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
) -> None:
    simulators.fault("card", "duplicate_call")
    card.refund(ALL)
    assert len(simulators.calls("card", method="POST")) == 2
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_a_gateway_that_is_down_for_a_moment_is_waited_for(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
) -> None:
    simulators.fault("card", "down", times=2)
    assert card.refund(ALL).amount == Decimal("21.50")
    assert len(simulators.calls("card", method="POST")) == 3


def test_a_gateway_that_stays_down_has_done_nothing(
    simulators: RunningSimulators, card: CardGateway, paid: UUID
) -> None:
    simulators.fault("card", "down", times=None)
    with pytest.raises(GatewayDown) as caught:
        card.refund(ALL)
    assert type(caught.value) is GatewayDown
    assert [len(order["refunds"]) for order in simulators.orders()] == [0]


def test_a_slow_answer_is_an_answer(simulators: RunningSimulators, card: CardGateway, paid: UUID) -> None:
    simulators.fault("card", "slow", seconds=0.4)
    assert card.refund(ALL).amount == Decimal("21.50")
    assert len(simulators.calls("card", method="POST")) == 1


def test_a_question_that_meets_a_wrong_hash_is_asked_again(
    simulators: RunningSimulators,
    card: CardGateway,
    paid: UUID,
) -> None:
    simulators.fault("card", "wrong_hash")
    assert card.find_order(REFERENCE).status is CardOrderStatus.PAID
    simulators.fault("card", "wrong_hash", times=3)
    with pytest.raises(AnswerUnusable):
        card.find_order(REFERENCE)


@pytest.mark.parametrize(
    "refund",
    [
        dataclasses.replace(ALL, lines=()),
        dataclasses.replace(ALL, amount=Decimal("21.49")),
        dataclasses.replace(ALL, lines=(FEES, dataclasses.replace(SERVICE, amount=Decimal("0.00")))),
        dataclasses.replace(
            ALL, amount=Decimal("20.005"), lines=(dataclasses.replace(FEES, amount=Decimal("20.005")),)
        ),
    ],
)
def test_a_refund_that_is_not_right_in_itself_is_never_sent(
    simulators: RunningSimulators,
    card: CardGateway,
    refund: CardRefund,
) -> None:
    with pytest.raises(ValueError, match="refund"):
        card.refund(refund)
    assert simulators.calls("card") == []


def test_for_trials_what_was_paid_before_the_start_is_given_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = RunningSimulators(tmp_path, believes_earlier=True)
    trusting.start()
    try:
        monkeypatch.setattr(settings, "SIMULATORS_ADDRESS_FILE", trusting.address_file)
        card = card_gateway()
        state = card.refund(PART)
        assert (card.refund(PART), card.find_refund(REFERENCE, PART.key)) == (state, state)
        assert card.find_order(REFERENCE).status == CardOrderStatus.NONE
        assert trusting.orders() == []
    finally:
        trusting.stop()


def test_money_that_is_booked_too_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = RunningSimulators(tmp_path, settle_seconds=0)
    at_once.start()
    try:
        monkeypatch.setattr(settings, "SIMULATORS_ADDRESS_FILE", at_once.address_file)
        card = card_gateway()
        at_once.decide(card.payment_link(an_order()))
        found = card.find_order(REFERENCE)
        assert (found.status, found.status.has_money) == (CardOrderStatus.COMPLETE, True)
        assert card.refund(ALL).is_complete
    finally:
        at_once.stop()
