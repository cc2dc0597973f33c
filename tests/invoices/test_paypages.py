"""The payer's pages: what is owed, the button, the way back, and a plain word about the money when it does not work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client

from invoices.models import CardAttempt, Invoice, Receipt
from invoices.operations.settling import charge_back, settle
from invoices.operations.stopping import cancel
from invoices.paylinks import token_for
from invoices.paypages.answers import VISITS_A_MINUTE
from tests.invoices.billed import CLIENT, STAFF, an_invoice, evidence_of, stored
from tests.invoices.traces import everything
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payer() -> Client:
    """Without a login, from an address of its own: visits are counted by address."""
    random = uuid4().int
    address = f"203.0.{random % 250}.{random // 250 % 250}"
    return Client(REMOTE_ADDR=address, enforce_csrf_checks=True)


def page_of(invoice: Invoice) -> str:
    return f"/pay/{token_for(invoice.pk, at=datetime.now(UTC))}"


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content.decode()
    assert response["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    text: str = response.content.decode()
    return text


def there(address: str) -> str:
    """The path and query of an absolute address, for the test client."""
    url = urlsplit(address)
    return f"{url.path}?{url.query}" if url.query else url.path


def test_the_page_says_what_is_owed_and_of_what_it_is_made(payer: Client, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY", business_identifier="BC0871234", folio_number="<b>7</b>")

    text = text_of(payer.get(page_of(invoice)))

    for said in ("Product CP", "BC0871234", "&lt;b&gt;7&lt;/b&gt;", "33.08", "30.00", "1.50", "1.58", "Pay by card"):
        assert said in text, said
    assert "Set-Cookie" not in payer.get(page_of(invoice)).headers
    assert CardAttempt.objects.count() == 0


def test_the_button_leads_to_the_gateway_and_the_payment_back_to_the_page(
    payer: Client, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")

    opened = payer.post(page_of(invoice))
    again = payer.post(page_of(invoice))

    assert (opened.status_code, again["Location"]) == (303, opened["Location"])
    attempt = CardAttempt.objects.get()
    assert opened["Location"] == attempt.pay_url
    returned = simulators.decide(attempt.pay_url)
    back = payer.get(there(returned))
    assert back.status_code == 303
    assert back["Location"] == f"{attempt.client_url}?status=COMPLETED"
    assert "Paid. Thank you" in text_of(payer.get(there(back["Location"])))
    assert (stored(invoice).status, Receipt.objects.count()) == ("PAID", 1)
    # Coming back twice pays once, and pressing the button then leads to the page.
    assert payer.get(there(returned)).status_code == 303
    assert payer.post(page_of(invoice))["Location"].endswith(page_of(invoice))
    assert (CardAttempt.objects.count(), Receipt.objects.count()) == (1, 1)


def test_a_declined_card_is_said_and_another_try_is_offered(payer: Client, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    payer.post(page_of(invoice))
    returned = simulators.decide(CardAttempt.objects.get().pay_url, pays=False)

    back = payer.get(there(returned))
    text = text_of(payer.get(there(back["Location"])))

    assert back["Location"].endswith("?status=FAILED")
    assert "The card was declined and nothing was charged." in text
    assert "Pay by card" in text
    assert payer.post(page_of(invoice)).status_code == 303
    assert CardAttempt.objects.open().count() == 1


def a_charged_back(invoice: Invoice) -> None:
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=invoice.created_at)
    charge_back(invoice.pk, reason="The issuer says so", actor=STAFF, at=invoice.created_at)


def a_cancelled(invoice: Invoice) -> None:
    cancel(invoice.pk, actor=CLIENT, reason="Twice", at=invoice.created_at)


def a_paid(invoice: Invoice) -> None:
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=invoice.created_at)


@pytest.mark.parametrize(
    ("method", "deed", "said"),
    [
        ("DIRECT_PAY", a_paid, "Paid. Thank you"),
        ("DIRECT_PAY", a_cancelled, "This invoice was stopped."),
        ("DIRECT_PAY", a_charged_back, "This invoice was stopped."),
        ("PAD", None, "This invoice is not paid by card here."),
        ("ONLINE_BANKING", None, "This invoice is not paid by card here."),
    ],
)
def test_what_cannot_be_paid_here_has_no_button_and_says_why(
    payer: Client, simulators: RunningSimulators, method: str, deed: Any, said: str
) -> None:
    invoice = an_invoice(method)
    if deed is not None:
        deed(invoice)

    text = text_of(payer.get(page_of(invoice)))
    pressed = payer.post(page_of(invoice))

    assert said in text
    assert "Pay by card" not in text
    assert (pressed.status_code, urlsplit(pressed["Location"]).path) == (303, page_of(invoice))
    assert CardAttempt.objects.count() == 0


def test_a_link_that_was_altered_or_is_too_old_says_so(payer: Client) -> None:
    invoice = an_invoice("DIRECT_PAY")
    page = page_of(invoice)
    old = token_for(invoice.pk, at=datetime.now(UTC) - timedelta(days=400))
    gone = token_for(invoice.pk + 1, at=datetime.now(UTC))
    before = everything()

    assert "This link does not lead to an invoice" in text_of(payer.get(page[:-1]), 404)
    assert "This link does not lead to an invoice" in text_of(payer.get(f"/pay/{gone}"), 404)
    assert "This link has expired" in text_of(payer.get(f"/pay/{old}"), 410)
    assert "This link has expired" in text_of(payer.post(f"/pay/{old}"), 410)
    assert everything() == before


@pytest.mark.parametrize("query", ["", "?status=approved", "?version=1&hash=00"])
def test_a_way_back_that_the_gateway_did_not_make_says_that_nothing_is_confirmed(
    payer: Client, simulators: RunningSimulators, query: str
) -> None:
    payer.post(page_of(an_invoice("DIRECT_PAY")))
    before = everything()

    text = text_of(payer.get(f"/pay/return/{CardAttempt.objects.get().pk}{query}"), 400)

    assert "We cannot confirm this payment" in text
    assert everything() == before


def test_a_gateway_that_is_away_is_said_with_what_became_of_the_money(
    payer: Client, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    payer.post(page_of(invoice))
    returned = simulators.decide(CardAttempt.objects.get().pay_url)
    simulators.fault("card", "down", times=None)

    response = payer.get(there(returned))

    assert "do not pay again for now" in text_of(response, 503)
    assert int(response["Retry-After"]) > 0
    assert stored(invoice).status == "CREATED"


def test_without_a_gateway_nothing_is_charged_and_that_is_said(payer: Client) -> None:
    invoice = an_invoice("DIRECT_PAY")
    assert "Paying by card is not possible at the moment" in text_of(payer.post(page_of(invoice)), 503)
    assert CardAttempt.objects.count() == 0


def test_an_address_that_asks_without_end_is_told_to_wait(payer: Client) -> None:
    page = page_of(an_invoice("PAD"))
    assert {payer.get(page).status_code for _ in range(VISITS_A_MINUTE)} == {200}
    # One more is allowed with every second that this takes.
    refused = next(answer for answer in (payer.get(page) for _ in range(VISITS_A_MINUTE)) if answer.status_code != 200)
    assert "Too many visits" in text_of(refused, 429)
    assert Client(REMOTE_ADDR="198.51.100.7").get(page).status_code == 200


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_the_pages_are_read_and_pressed_and_nothing_else(payer: Client, method: str) -> None:
    invoice = an_invoice("DIRECT_PAY")
    before = everything()
    assert getattr(payer, method)(page_of(invoice)).status_code == 405
    # What another site may not make a browser send is refused before anything else.
    assert payer.post(f"/pay/return/{uuid4()}").status_code == 403
    assert everything() == before
