"""The way over the simulated payment page and back, with everything that can go wrong there."""

from __future__ import annotations

import threading
from collections.abc import Generator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from invoices.gateways import (
    CardGateway,
    CardOrderState,
    CardOrderStatus,
    HashWrong,
    card_gateway,
)
from tests.invoices.cardorders import REFERENCE, an_order, query_of
from tests.simulators.running import RunningSimulators


@pytest.fixture
def card(simulators: RunningSimulators) -> CardGateway:
    return card_gateway()


def test_whoever_pays_comes_back_with_what_was_paid(simulators: RunningSimulators, card: CardGateway) -> None:
    order = an_order()
    assert card.find_order(REFERENCE) == CardOrderState(REFERENCE, CardOrderStatus.NONE)

    address = simulators.decide(card.payment_link(order))

    assert address.startswith("http://127.0.0.1:9/card/return?")
    returned = card.verify_return(query_of(address))
    assert returned.approved
    assert (returned.reference, returned.transaction_id, returned.amount) == (
        REFERENCE,
        order.transaction_id,
        Decimal("21.50"),
    )
    found = card.find_order(REFERENCE)
    assert (found.status, found.amount, found.currency) == (CardOrderStatus.PAID, Decimal("21.50"), "CAD")
    assert found.status.has_money
    assert (found.transaction_id, found.authorization) == (order.transaction_id, returned.authorization)
    assert found.receipt_number == "CARD00000001"
    assert found.paid_at == returned.occurred_at
    assert found.refunds == ()


def test_whoever_gives_up_comes_back_too_and_nothing_is_taken(simulators: RunningSimulators, card: CardGateway) -> None:
    address = simulators.decide(card.payment_link(an_order()), pays=False)
    returned = card.verify_return(query_of(address))
    assert (returned.approved, returned.reason, returned.authorization) == (False, "The payer gave up", "")
    found = card.find_order(REFERENCE)
    assert (found.status, found.paid_at) == (CardOrderStatus.DECLINED, None)
    assert not found.status.has_money


def test_a_declined_card_is_told_apart_and_can_be_tried_again(simulators: RunningSimulators, card: CardGateway) -> None:
    simulators.fault("card", "declined")
    link = card.payment_link(an_order())
    assert card.verify_return(query_of(simulators.decide(link))).reason == "The card was declined"
    assert card.verify_return(query_of(simulators.decide(link))).approved
    assert card.find_order(REFERENCE).status is CardOrderStatus.PAID


def test_a_return_with_a_wrong_hash_is_not_believed_and_the_order_says_what_was_paid(
    simulators: RunningSimulators,
    card: CardGateway,
) -> None:
    simulators.fault("card", "wrong_hash")
    address = simulators.decide(card.payment_link(an_order()))
    with pytest.raises(HashWrong):
        card.verify_return(query_of(address))
    assert card.find_order(REFERENCE).status is CardOrderStatus.PAID


def test_a_payer_who_never_comes_back_has_still_paid(simulators: RunningSimulators, card: CardGateway) -> None:
    simulators.fault("card", "accept_then_time_out")
    with pytest.raises(OSError, match="timed out"):
        simulators.decide(card.payment_link(an_order()), timeout=0.3)
    assert card.find_order(REFERENCE).status is CardOrderStatus.PAID
    assert len(simulators.orders()) == 1


@pytest.fixture
def listener() -> Generator[tuple[str, list[str]]]:
    """A return address that counts who comes by."""
    seen: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(urlsplit(self.path).query)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/card/return", seen
    server.shutdown()
    server.server_close()


def test_a_gateway_that_calls_before_it_redirects_says_the_same_twice(
    simulators: RunningSimulators,
    card: CardGateway,
    listener: tuple[str, list[str]],
) -> None:
    url, seen = listener
    simulators.fault("card", "duplicate_call")
    address = simulators.decide(card.payment_link(an_order(return_url=url)))
    assert seen == [query_of(address)]
    assert card.verify_return(seen[0]) == card.verify_return(query_of(address))


def test_an_order_that_is_paid_is_not_paid_again_by_another_attempt(
    simulators: RunningSimulators, card: CardGateway
) -> None:
    first = an_order()
    simulators.decide(card.payment_link(first))
    address = simulators.decide(card.payment_link(an_order()))
    assert card.verify_return(query_of(address)).transaction_id == first.transaction_id
    assert len(simulators.orders()) == 1
