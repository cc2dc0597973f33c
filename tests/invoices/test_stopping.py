"""What no money was taken for is stopped, once; what the ledger, a file or a card page may still pay is not."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from invoices.models import CardAttempt, Invoice
from invoices.operations.cards import check_attempt, open_payment
from invoices.operations.settling import mark_overdue, schedule, settle
from invoices.operations.standing import NoSuchInvoice
from invoices.operations.stopping import CannotCancel, cancel
from kernel.audit.models import AuditEntry
from kernel.outbox.models import OutboxEvent
from tests.invoices.billed import AT, CLIENT, STAFF, a_paid_invoice, a_product, an_invoice, evidence_of, stored
from tests.invoices.traces import breaches, everything, refused
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(hours=1)


def stop(invoice: Invoice, reason: str = "Filed twice") -> Invoice:
    return cancel(invoice.pk, actor=CLIENT, reason=reason, at=LATER)


def with_a_page(invoice: Invoice) -> CardAttempt:
    return open_payment(invoice.pk, client_url="https://shop.test/", return_base="http://x/pay", actor=CLIENT, at=AT)


@pytest.mark.parametrize("method", ["PAD", "EJV", "EFT"])
def test_what_is_collected_later_is_cancelled_with_its_lines_and_its_goods_come_back(method: str) -> None:
    invoice = an_invoice(method)

    stop(invoice)

    now = stored(invoice)
    assert (now.status, now.cancelled_at, now.owing, now.refund_date) == ("CANCELLED", LATER, Decimal(0), None)
    assert [line.status for line in invoice.lines.all()] == ["CANCELLED"]
    assert AuditEntry.objects.get(action="invoice.cancelled").reason == "Filed twice"
    (event,) = OutboxEvent.objects.filter(event_type="invoice.reversed")
    body = json.loads(event.body)
    assert (body["statusCode"], body["refundAmount"], body["refundId"]) == ("REVERSED", "33.08", None)


@pytest.mark.parametrize("method", ["DIRECT_PAY", "ONLINE_BANKING"])
def test_what_the_payer_had_to_pay_is_deleted_and_no_goods_come_back_that_were_never_out(method: str) -> None:
    invoice = an_invoice(method)

    stop(invoice)

    assert (stored(invoice).status, stored(invoice).deleted_at) == ("DELETED", LATER)
    assert not invoice.references.active().exists()
    assert not OutboxEvent.objects.filter(event_type__contains="reversed").exists()


def test_what_is_stopped_is_stopped_once() -> None:
    invoice = an_invoice("PAD")
    stop(invoice)
    before = everything()
    stop(invoice, "Once more")
    assert everything() == before


@pytest.mark.parametrize("method", ["PAD", "EJV", "EFT", "ONLINE_BANKING"])
def test_what_the_ledger_has_is_not_cancelled(method: str) -> None:
    invoice = an_invoice(method)
    schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    with refused(CannotCancel):
        stop(invoice)


@pytest.mark.parametrize("method", ["PAD", "EJV", "EFT", "DIRECT_PAY", "ONLINE_BANKING", "CC"])
def test_what_is_paid_is_not_cancelled(method: str) -> None:
    invoice = a_paid_invoice(method)
    with refused(CannotCancel):
        stop(invoice)


@pytest.mark.parametrize("method", ["EFT", "ONLINE_BANKING"])
def test_what_is_paid_in_part_is_not_cancelled(method: str) -> None:
    invoice = an_invoice(method)
    settle(invoice.pk, evidence_of(invoice, amount="0.01"), actor=STAFF, at=AT)
    with refused(CannotCancel):
        stop(invoice)


@pytest.mark.parametrize("method", ["DRAWDOWN", "CC", "INTERNAL"])
def test_what_money_may_be_under_way_for_is_not_cancelled(method: str) -> None:
    invoice = an_invoice(method)
    with refused(CannotCancel):
        stop(invoice)


def test_what_is_overdue_is_not_cancelled_by_its_payer() -> None:
    invoice = an_invoice("EFT")
    mark_overdue(invoice.pk, at=invoice.overdue_date)
    with refused(CannotCancel):
        stop(invoice)


def test_goods_that_take_two_to_come_back_are_not_taken_back_by_a_cancellation() -> None:
    a_product(refund_approval=True)
    released, waiting = an_invoice("PAD"), an_invoice("DIRECT_PAY")
    with refused(CannotCancel):
        stop(released)
    assert stop(waiting).status == "DELETED"


def test_what_is_not_there_is_not_cancelled() -> None:
    invoice = an_invoice("PAD")
    with refused(NoSuchInvoice):
        cancel(invoice.pk + 1, actor=CLIENT, reason="Twice", at=AT)


def test_an_open_card_page_keeps_it_until_the_gateway_says_that_nothing_was_paid(
    simulators: RunningSimulators,
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = with_a_page(invoice)

    stop(invoice)
    now = stored(invoice)
    assert (now.status, now.abandoned_at, now.owing) == ("DELETE_ACCEPTED", LATER, Decimal(0))
    assert [reference.status for reference in invoice.references.all()] == ["ACTIVE"]
    simulators.decide(attempt.pay_url, pays=False)
    check_attempt(attempt.pk, clock=lambda: LATER)

    assert (stored(invoice).status, stored(invoice).deleted_at) == ("DELETED", LATER)
    assert [reference.status for reference in invoice.references.all()] == ["CANCELLED"]
    assert AuditEntry.objects.get(action="invoice.abandoned").reason == "Filed twice"


@pytest.mark.parametrize("is_deleted", [False, True])
def test_who_pays_on_a_page_that_was_left_open_has_paid_although_it_was_given_up(
    simulators: RunningSimulators, is_deleted: bool
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = with_a_page(invoice)
    stop(invoice)
    if is_deleted:
        check_attempt(attempt.pk, clock=lambda: AT + timedelta(days=3))
        assert stored(invoice).status == "DELETED"
    simulators.decide(attempt.pay_url)

    check_attempt(attempt.pk, clock=lambda: AT + timedelta(days=4))

    now = stored(invoice)
    assert (now.status, now.paid_amount, now.abandoned_at, now.deleted_at) == ("PAID", Decimal("33.08"), None, None)
    assert [reference.status for reference in invoice.references.all()] == ["COMPLETED"]
    assert CardAttempt.objects.get().status == "COMPLETED"
    assert breaches() == {}
