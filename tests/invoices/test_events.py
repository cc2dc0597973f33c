"""What others are told of an invoice: once each, in the transaction that it is about, with amounts as exact text."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from invoices.events import announce_release
from invoices.gateways import GatewayRefused
from invoices.models import Invoice
from invoices.operations.calling import make_call
from invoices.operations.cards import check_attempt, open_payment, take_return
from invoices.operations.refunding import finish_refund
from invoices.operations.settling import settle
from invoices.states import FeeType
from kernel.errors import PaymentsiteError
from kernel.outbox.models import OutboxEvent
from kernel.transactions import TransactionMisuse, unit_of_work
from tests.invoices.billed import AT, CLIENT, STAFF, a_paid_invoice, a_part, an_invoice, evidence_of, refund, stored
from tests.invoices.cardorders import query_of
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(hours=1)


def told(invoice: Invoice, event_type: str) -> list[dict[str, Any]]:
    events = OutboxEvent.objects.filter(subject=f"invoices/{invoice.pk}", event_type=event_type).order_by("position")
    return [json.loads(event.body) for event in events]


@pytest.mark.parametrize("method", ["PAD", "EFT", "EJV", "INTERNAL"])
def test_goods_that_go_out_with_the_invoice_are_released_once_and_not_again_by_the_money(method: str) -> None:
    invoice = an_invoice(method, business_identifier="BC0871234", filing_id="F-1")
    if method != "INTERNAL":
        settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=LATER)

    (body,) = told(invoice, "invoice.released")

    assert body["statusCode"] == "COMPLETED"
    assert body["productReleaseDate"].startswith("2026-11-24T18:00:00")
    assert {name: body[name] for name in ("id", "accountNumber", "corpTypeCode", "filingIdentifier", "total")} == {
        "id": invoice.pk,
        "accountNumber": f"A-{method}",
        "corpTypeCode": "CP",
        "filingIdentifier": "F-1",
        "total": "33.08",
    }
    assert (body["businessIdentifier"], body["paymentMethod"], body["currency"]) == ("BC0871234", method, "CAD")


@pytest.mark.parametrize("method", ["DIRECT_PAY", "CC", "ONLINE_BANKING", "DRAWDOWN"])
def test_other_goods_go_out_with_the_payment(method: str) -> None:
    invoice = an_invoice(method)
    assert told(invoice, "invoice.released") == []

    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=LATER)

    (body,) = told(invoice, "invoice.released")
    assert body["productReleaseDate"].startswith("2026-11-24T19:00:00")


def test_every_move_is_told_with_where_it_came_from() -> None:
    invoice = an_invoice("ONLINE_BANKING")
    settle(invoice.pk, evidence_of(invoice, "A", amount="10"), actor=STAFF, at=AT)
    settle(invoice.pk, evidence_of(invoice, "B", amount="10"), actor=STAFF, at=AT)
    settle(invoice.pk, evidence_of(invoice, "C", amount="13.08"), actor=STAFF, at=LATER)

    moves = [(body["statusBefore"], body["status"]) for body in told(invoice, "invoice.status-changed")]

    assert moves == [("CREATED", "PARTIAL_PAID"), ("PARTIAL_PAID", "PAID")]


def test_a_part_and_then_the_rest_are_reversed_by_their_amounts() -> None:
    invoice = a_paid_invoice("PAD")
    first = refund(invoice, a_part(invoice, "10.50"))
    last = refund(stored(invoice))

    part, rest = told(invoice, "invoice.partially-reversed"), told(invoice, "invoice.reversed")

    assert [(body["statusCode"], body["refundAmount"], body["refundId"]) for body in part + rest] == [
        ("PARTIALLY_REVERSED", "10.50", first.pk),
        ("REVERSED", "22.58", last.pk),
    ]


def test_what_the_outside_must_confirm_is_told_when_it_has_and_not_before() -> None:
    invoice = a_paid_invoice("EJV")
    asked = refund(invoice)
    assert told(invoice, "invoice.reversed") == []

    for _ in range(2):
        finish_refund(asked.pk, evidence="Journal 12", final_at=LATER, actor=STAFF, at=LATER)

    assert [body["refundAmount"] for body in told(invoice, "invoice.reversed")] == ["33.08"]


def test_the_help_desk_is_asked_to_reverse_a_debit() -> None:
    invoice = a_paid_invoice("DRAWDOWN")
    asked = refund(invoice)

    (body,) = told(invoice, "refund.drawdown-requested")

    assert (body["refundId"], body["refundAmount"], body["prepaidAccount"]) == (asked.pk, "33.08", "180670")
    assert body["reason"] == "Not wanted"


def test_the_events_of_an_account_keep_their_order_under_its_number() -> None:
    first, second = an_invoice("PAD"), an_invoice("PAD")
    settle(second.pk, evidence_of(second), actor=STAFF, at=AT)
    settle(first.pk, evidence_of(first), actor=STAFF, at=AT)
    assert set(OutboxEvent.objects.values_list("topic", "key", "source")) == {
        ("invoices", "A-PAD", "paymentsite/invoices")
    }


def test_a_refusal_tells_nobody_anything() -> None:
    invoice = a_paid_invoice("PAD")
    count = OutboxEvent.objects.count()
    with pytest.raises(PaymentsiteError):
        refund(invoice, a_part(invoice, "2", FeeType.SERVICE_FEES))
    assert OutboxEvent.objects.count() == count


def test_nothing_is_told_outside_of_a_unit_of_work_nor_by_one_that_is_undone() -> None:
    invoice = an_invoice("DIRECT_PAY")
    with pytest.raises(TransactionMisuse):
        announce_release(invoice, at=AT)

    @unit_of_work
    def undone() -> None:
        announce_release(invoice, at=AT)
        raise RuntimeError("Something else went wrong")

    with pytest.raises(RuntimeError):
        undone()
    assert told(invoice, "invoice.released") == []


def test_a_declined_card_is_told_once_and_the_payment_that_follows_releases_the_goods(
    simulators: RunningSimulators,
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = open_payment(invoice.pk, client_url="https://shop.test/", return_base="http://x", actor=CLIENT, at=AT)
    returned = query_of(simulators.decide(attempt.pay_url, pays=False))

    for _ in range(2):
        take_return(attempt.pk, returned, actor=CLIENT, clock=lambda: LATER)

    (body,) = told(invoice, "invoice.payment-failed")
    assert (body["statusCode"], body["reason"], body["total"]) == ("TRANSACTION_FAILED", "The payer gave up", "33.08")
    assert told(invoice, "invoice.released") == []
    simulators.decide(attempt.pay_url)
    check_attempt(attempt.pk, clock=lambda: LATER)
    assert [body["statusCode"] for body in told(invoice, "invoice.released")] == ["COMPLETED"]
    assert len(told(invoice, "invoice.payment-failed")) == 1


def test_a_refused_debit_is_told_with_its_reason(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN")
    simulators.fault("prepaid", "declined", code="61")
    with pytest.raises(GatewayRefused):
        make_call(invoice.outside_calls.get().pk, actor=CLIENT, clock=lambda: LATER)

    (body,) = told(invoice, "invoice.payment-failed")

    assert body["statusCode"] == "TRANSACTION_FAILED"
    assert "fault 61" in body["reason"]
    assert [body["status"] for body in told(invoice, "invoice.status-changed")] == ["CANCELLED"]
