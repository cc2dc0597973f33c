"""Card payments over the API: a link for the payer, what they come back with, and one open payment at a time."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from invoices.models import CardAttempt, Invoice, Receipt
from invoices.operations.stopping import cancel_invoice
from kernel.audit.models import AuditEntry
from kernel.transactions import unit_of_work
from tests.invoices.billed import AT, CLIENT, a_priced_filing, an_invoice, stored
from tests.invoices.budgets import queries_of
from tests.invoices.partners import INVOICES, Partner, answered, refused
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
SHOP = "https://shop.test/orders/7?lang=en"
MOST_QUERIES = 5


@pytest.fixture
def partner(simulators: RunningSimulators) -> Partner:
    a_priced_filing()
    return Partner()


def path_of(invoice: Invoice) -> str:
    return f"{INVOICES}/{invoice.pk}/transactions"


def opened(partner: Partner, invoice: Invoice, url: str = SHOP) -> dict[str, Any]:
    return answered(partner.post(path_of(invoice), {"clientSystemUrl": url}), 201)


def statuses(partner: Partner, invoice: Invoice) -> list[str]:
    return [attempt["status"] for attempt in answered(partner.get(path_of(invoice)))]  # type: ignore[index]


def test_a_payer_pays_at_the_gateway_and_comes_back_to_the_partner(
    partner: Partner, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    response = partner.post(path_of(invoice), {"clientSystemUrl": SHOP})
    attempt = answered(response, 201)
    assert response["Location"] == attempt["links"]["self"] == f"{path_of(invoice)}/{attempt['id']}"
    assert attempt["links"]["invoice"] == f"{INVOICES}/{invoice.pk}"
    assert (attempt["status"], attempt["amount"], attempt["clientSystemUrl"]) == ("CREATED", "33.08", SHOP)
    assert (attempt["invoiceId"], attempt["endedAt"], attempt["reasonCode"]) == (invoice.pk, None, "")
    assert answered(partner.get(response["Location"])) == attempt
    assert answered(partner.get(path_of(invoice))) == [attempt]
    assert attempt["payUrl"].startswith(simulators.url)
    assert AuditEntry.objects.get(action="invoice.card-payment-opened").actor == "partner"

    back = simulators.decide(attempt["payUrl"])
    onward = partner.client.get(back)
    assert onward.status_code == 303
    assert onward["Location"] == f"{SHOP}&status=COMPLETED"
    paid = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (paid["status"], paid["money"]["paid"], paid["receipts"][0]["source"]) == ("PAID", "33.08", "card")
    after = answered(partner.get(response["Location"]))
    assert after["status"] == "COMPLETED"
    assert after["endedAt"]
    assert answered(partner.post(path_of(invoice), {"clientSystemUrl": SHOP}), 409)["code"] == "not-paid-by-card"


def test_the_gateway_gets_the_order_with_the_lines_that_it_books(
    partner: Partner, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    query = parse_qs(urlsplit(opened(partner, invoice)["payUrl"]).query)
    assert (query["amount"], query["reference"]) == (["33.08"], [f"REGT{invoice.pk:08d}"])
    assert [part.split(":")[2] for part in query["revenue"][0].split("|")] == ["30.00", "1.50", "1.50", "0.08"]
    assert simulators.orders() == []


def test_a_return_with_a_wrong_hash_is_not_believed_and_pays_nothing(
    partner: Partner, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = opened(partner, invoice)
    simulators.fault("card", "wrong_hash")
    back = simulators.decide(attempt["payUrl"])
    answer = partner.client.get(back)
    assert answer.status_code == 400
    assert "Location" not in answer
    assert (stored(invoice).status, Receipt.objects.count(), statuses(partner, invoice)) == ("CREATED", 0, ["CREATED"])
    # The gateway itself knows better: the payer who opens the page anew comes back with a right hash.
    assert partner.client.get(simulators.decide(attempt["payUrl"])).status_code == 303
    assert stored(invoice).status == "PAID"


def test_a_payer_who_gives_up_may_try_again_with_the_same_link(partner: Partner, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY")
    attempt = opened(partner, invoice)
    onward = partner.client.get(simulators.decide(attempt["payUrl"], pays=False))
    assert onward["Location"].endswith("&status=FAILED")
    failed = answered(partner.get(attempt["links"]["self"]))
    assert (failed["status"], failed["reasonCode"]) == ("FAILED", "The payer gave up")
    assert stored(invoice).status == "CREATED"
    onward = partner.client.get(simulators.decide(attempt["payUrl"]))
    assert onward["Location"].endswith("&status=COMPLETED")
    assert (stored(invoice).status, Receipt.objects.count()) == ("PAID", 1)


def test_a_second_payment_cancels_the_first_and_only_one_is_paid(
    partner: Partner, simulators: RunningSimulators
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    first, second = opened(partner, invoice), opened(partner, invoice)
    assert statuses(partner, invoice) == ["CANCELLED", "CREATED"]
    assert [each["id"] for each in answered(partner.get(path_of(invoice)))] == [first["id"], second["id"]]  # type: ignore[index]
    assert answered(partner.get(first["links"]["self"]))["endedAt"] == second["startedAt"]
    # A page that was left open can still be paid on: the money counts, and is taken once.
    partner.client.get(simulators.decide(first["payUrl"]))
    partner.client.get(simulators.decide(second["payUrl"]))
    assert (stored(invoice).status, Receipt.objects.count(), len(simulators.orders())) == ("PAID", 1, 1)
    assert statuses(partner, invoice) == ["COMPLETED", "CANCELLED"]


@pytest.mark.parametrize("method", ["PAD", "EFT", "EJV", "ONLINE_BANKING", "DRAWDOWN"])
def test_what_is_not_paid_by_card_gets_no_link(partner: Partner, method: str) -> None:
    invoice = an_invoice(method)
    problem = answered(partner.post(path_of(invoice), {"clientSystemUrl": SHOP}), 409)
    assert (problem["code"], problem["ids"]) == ("not-paid-by-card", [invoice.pk])
    assert CardAttempt.objects.count() == 0
    assert answered(partner.get(path_of(invoice))) == []


def test_what_was_stopped_gets_no_link_any_more(partner: Partner) -> None:
    invoice = an_invoice("DIRECT_PAY")

    @unit_of_work
    def stop() -> None:
        cancel_invoice(Invoice.objects.lock([invoice.pk])[0], actor=CLIENT, reason="Not wanted", at=AT)

    stop()
    assert answered(partner.post(path_of(invoice), {"clientSystemUrl": SHOP}), 409)["code"] == "not-paid-by-card"
    assert CardAttempt.objects.count() == 0


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("/orders/7", "invalid"),
        ("javascript:alert(1)", "invalid"),
        ("ftp://shop.test/", "invalid"),
        ("https://", "invalid"),
        ("https://user:secret@shop.test/", "invalid"),
        ("https://shop.test/a b", "invalid"),
        ("https://[::1", "invalid"),
        ("https://shop.test/" + "x" * 500, "max_length"),
        ("", "blank"),
        (None, "null"),
        (7, "invalid"),
    ],
)
def test_an_address_to_which_nobody_should_be_sent_is_refused(partner: Partner, url: object, code: str) -> None:
    invoice = an_invoice("DIRECT_PAY")
    assert refused(partner.post(path_of(invoice), {"clientSystemUrl": url})) == [("clientSystemUrl", code)]
    assert CardAttempt.objects.count() == 0


def test_a_card_payment_is_found_under_its_own_invoice_only(partner: Partner) -> None:
    invoice, other = an_invoice("DIRECT_PAY"), an_invoice("DIRECT_PAY")
    attempt = opened(partner, invoice)
    assert answered(partner.get(f"{path_of(other)}/{attempt['id']}"), 404)["code"] == "card-payment-not-found"
    assert answered(partner.get(f"{path_of(invoice)}/{uuid4()}"), 404)["code"] == "card-payment-not-found"
    stranger = Partner("stranger", all_accounts=False)
    for path in (path_of(invoice), f"{path_of(invoice)}/{attempt['id']}"):
        assert answered(stranger.get(path), 404)["code"] == "invoice-not-found"


def test_the_card_payments_of_an_invoice_cost_the_same_however_many_they_are(partner: Partner) -> None:
    invoice = an_invoice("DIRECT_PAY")
    counts = []
    for number in (1, 4):
        for _ in range(number):
            opened(partner, invoice)
        counts.append(queries_of(statuses, partner, invoice))
    assert counts[0] == counts[1] <= MOST_QUERIES
