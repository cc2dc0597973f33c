"""A link for the payer, one open at a time, and what the gateway says is believed only when it is of this order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from catalogue.quote import FilingLine
from invoices.gateways import HashWrong, ReturnMalformed
from invoices.gateways.errors import GatewayNotConfigured
from invoices.models import CardAttempt, Credit, Invoice, Receipt
from invoices.operations.cards import (
    CardAmountDiffers,
    ClientUrlUnfit,
    NoSuchAttempt,
    NotPaidByCard,
    check_attempt,
    find_attempt,
    open_payment,
    take_return,
)
from invoices.operations.converting import convert
from invoices.operations.settling import schedule, settle
from tests.accounts.payers import at_once
from tests.invoices.billed import AT, CLIENT, STAFF, a_paid_invoice, an_invoice, evidence_of, stored
from tests.invoices.cardorders import query_of
from tests.invoices.traces import breaches, refused
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "http://localhost:3004/pay/return"


def a_page(invoice: Invoice, client_url: str = "https://shop.test/order?id=7", **later: float) -> CardAttempt:
    at = AT + timedelta(**later)
    return open_payment(invoice.pk, client_url=client_url, return_base=BASE, actor=CLIENT, at=at)


def clock(**later: float) -> Callable[[], datetime]:
    return lambda: AT + timedelta(**later)


def test_the_link_says_what_is_paid_and_where_each_part_is_booked(simulators: RunningSimulators) -> None:
    lines = (FilingLine("OTANN"), FilingLine("OTANN", priority=True))
    invoice = an_invoice("DIRECT_PAY", lines=lines)

    attempt = a_page(invoice)

    link = {name: values[0] for name, values in parse_qs(query_of(attempt.pay_url)).items()}
    assert (link["reference"], link["amount"], link["currency"]) == (f"REGT{invoice.pk:08d}", "169.58", "CAD")
    assert (link["transaction"], link["return_url"]) == (str(attempt.pk), f"{BASE}/{attempt.pk}")
    line = invoice.lines.order_by("pk")[0]
    fee, service = line.fee_gl, line.service_fee_gl
    assert fee != service
    assert link["revenue"].split("|") == [
        f"1:{fee}:30.00",
        f"2:{fee}:1.50",
        f"3:{service}:1.50",
        f"4:{service}:0.08",
        f"5:{fee}:130.00",
        f"6:{fee}:6.50",
    ]
    assert (attempt.status, attempt.amount, attempt.started_at) == ("CREATED", Decimal("169.58"), AT)


def test_another_link_takes_the_place_of_the_first(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")

    first, second = a_page(invoice), a_page(invoice, minutes=1)

    first.refresh_from_db()
    assert (first.status, first.ended_at) == ("CANCELLED", AT + timedelta(minutes=1))
    assert [attempt.pk for attempt in CardAttempt.objects.open()] == [second.pk]


def test_who_pays_by_the_first_link_after_all_completes_that_one(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    first, second = a_page(invoice), a_page(invoice, minutes=1)
    simulators.decide(first.pay_url)

    outcome = check_attempt(second.pk, clock=clock(minutes=2))

    assert (outcome.attempt.status, find_attempt(first.pk).status) == ("CANCELLED", "COMPLETED")
    assert (stored(invoice).status, Receipt.objects.count()) == ("PAID", 1)
    assert breaches() == {}


@pytest.mark.parametrize("method", ["PAD", "EFT", "EJV", "ONLINE_BANKING", "DRAWDOWN", "INTERNAL"])
def test_only_what_is_paid_by_card_has_a_link(simulators: RunningSimulators, method: str) -> None:
    invoice = an_invoice(method)
    with refused(NotPaidByCard):
        a_page(invoice)


@pytest.mark.parametrize("method", ["DIRECT_PAY", "CC"])
def test_what_is_paid_has_no_further_link(simulators: RunningSimulators, method: str) -> None:
    invoice = a_paid_invoice(method)
    with refused(NotPaidByCard):
        a_page(invoice)


def test_online_banking_that_the_ledger_has_is_paid_by_card_under_the_ledger_s_number(
    simulators: RunningSimulators,
) -> None:
    invoice = an_invoice("ONLINE_BANKING")
    schedule(invoice.pk, invoice_number="REG00004711", actor=STAFF, at=AT)
    convert(invoice.pk, "CC", actor=CLIENT, at=AT)
    attempt = a_page(invoice)
    simulators.decide(attempt.pay_url)

    check_attempt(attempt.pk, clock=clock())

    assert [order["reference"] for order in simulators.orders()] == ["REG00004711"]
    assert (stored(invoice).status, stored(invoice).payment_method) == ("PAID", "CC")
    assert breaches() == {}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.test/order",
        "//shop.test/order",
        "ftp://shop.test/",
        "javascript:alert(1)",
        "https://",
        "https://user:secret@shop.test/",
        "https://shop.test/a b",
        "https://shop.test/\n",
        "https://[::1",
        "https://shop.test/" + "x" * 500,
    ],
)
def test_the_payer_is_sent_back_to_an_address_of_the_web_only(simulators: RunningSimulators, url: str) -> None:
    invoice = an_invoice("DIRECT_PAY")
    with refused(ClientUrlUnfit):
        a_page(invoice, url)


def test_without_a_gateway_no_link_is_made() -> None:
    invoice = an_invoice("DIRECT_PAY")
    with refused(GatewayNotConfigured):
        a_page(invoice)


def test_a_return_of_another_payment_is_not_taken_for_this_one(simulators: RunningSimulators) -> None:
    mine, other = an_invoice("DIRECT_PAY"), an_invoice("DIRECT_PAY")
    attempt, paid = a_page(mine), a_page(other)
    returned = query_of(simulators.decide(paid.pay_url))

    with refused(NoSuchAttempt):
        take_return(attempt.pk, returned, actor=CLIENT, clock=clock())
    with refused(NoSuchAttempt):
        take_return(uuid4(), returned, actor=CLIENT, clock=clock())


def test_a_return_that_was_altered_or_is_none_changes_nothing(simulators: RunningSimulators) -> None:
    attempt = a_page(an_invoice("DIRECT_PAY"))
    returned = query_of(simulators.decide(attempt.pay_url, pays=False))

    with refused(HashWrong):
        take_return(attempt.pk, returned.replace("declined", "approved"), actor=CLIENT, clock=clock())
    for query in ("", "status=approved", returned + "&status=approved"):
        with refused(ReturnMalformed):
            take_return(attempt.pk, query, actor=CLIENT, clock=clock())


def test_a_return_that_says_approved_pays_nothing_unless_the_gateway_itself_says_so(
    simulators: RunningSimulators,
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    returned = query_of(simulators.decide(attempt.pay_url))
    # A genuine return is there, and the gateway has lost the order.
    simulators.clear()

    outcome = take_return(attempt.pk, returned, actor=CLIENT, clock=clock())

    assert (outcome.attempt.status, outcome.attempt.response) == ("CREATED", returned)
    assert (stored(invoice).status, Receipt.objects.count()) == ("CREATED", 0)


def test_a_charge_of_another_amount_is_booked_by_nobody_and_named(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    simulators.decide(attempt.pay_url)
    Invoice.objects.filter(pk=invoice.pk).update(total=Decimal("40.00"))

    with refused(CardAmountDiffers) as refusal:
        check_attempt(attempt.pk, clock=clock())

    assert refusal.value.context["charged"] == "33.08"


def test_a_card_payment_of_what_was_paid_otherwise_becomes_a_credit(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    simulators.decide(attempt.pay_url)
    settle(invoice.pk, evidence_of(invoice, "CHEQUE"), actor=STAFF, at=AT)

    outcome = check_attempt(attempt.pk, clock=clock())

    assert (outcome.attempt.status, stored(invoice).paid_amount) == ("COMPLETED", Decimal("33.08"))
    assert [credit.amount for credit in Credit.objects.all()] == [Decimal("33.08")]
    assert breaches() == {}


def test_a_payer_and_the_sweep_who_ask_at_once_book_it_once(simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = a_page(invoice)
    returned = query_of(simulators.decide(attempt.pay_url))
    works = [
        lambda: take_return(attempt.pk, returned, actor=CLIENT, clock=clock()),
        lambda: check_attempt(attempt.pk, clock=clock()),
    ] * 4

    outcomes = at_once(lambda: works.pop()())

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert {outcome.attempt.status for outcome in outcomes} == {"COMPLETED"}
    assert (Receipt.objects.count(), Credit.objects.count(), stored(invoice).status) == (1, 0, "PAID")
