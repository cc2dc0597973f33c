"""The same order sixty-four times at the same moment, over real connections."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from invoices.models import Invoice, InvoiceLine, Refund
from kernel.idempotency.models import IdempotentRequest
from tests.invoices.billed import a_payer, a_priced_filing, an_invoice, evidence_of
from tests.invoices.partners import INVOICES, Partner, an_order, answered
from tests.simulators.running import RunningSimulators

pytest_plugins = ["tests.simulators.fixtures"]
pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 64


def at_once(partner: Partner, path: str, body: dict[str, Any], *, key: str | None) -> list[Any]:
    """The answers of as many threads, each with a connection of its own, released together."""
    barrier = threading.Barrier(AT_ONCE)

    def send(number: int) -> Any:
        try:
            barrier.wait(60)
            return partner.post(path, body, key=key or f"key-{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(send, range(AT_ONCE)))


def repeated(partner: Partner, answers: list[Any], path: str, body: dict[str, Any], key: str) -> list[bytes]:
    """The bodies, where a 409 for a first request that was still running is repeated as its Retry-After says."""
    bodies = []
    for answer in answers:
        if answer.status_code == 409:
            assert answered(answer, 409)["code"] == "idempotency-key-in-use"
            assert int(answer["Retry-After"]) >= 1
            answer = partner.post(path, body, key=key)
        bodies.append(answer.content)
    return bodies


def test_sixty_four_identical_orders_make_one_invoice_and_get_equal_answers(settings: Settings) -> None:
    settings.IDEMPOTENCY_WAIT_MS = 4000
    a_priced_filing()
    a_payer("PAD")
    partner = Partner()
    partner.get(INVOICES)
    answers = at_once(partner, INVOICES, an_order(), key="one")
    assert {answer.status_code for answer in answers} <= {201, 409}
    bodies = repeated(partner, answers, INVOICES, an_order(), "one")
    assert len(bodies) == AT_ONCE
    assert len(set(bodies)) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in answers if answer.status_code == 201) == 1
    assert (Invoice.objects.count(), InvoiceLine.objects.count(), IdempotentRequest.objects.count()) == (1, 1, 1)


def test_one_business_key_under_sixty_four_keys_is_one_invoice() -> None:
    a_priced_filing()
    a_payer("PAD")
    partner = Partner()
    partner.get(INVOICES)
    answers = at_once(partner, INVOICES, an_order(businessKey="filing 7"), key=None)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: AT_ONCE - 1}
    assert len({answered(answer, answer.status_code)["id"] for answer in answers}) == 1
    assert Invoice.objects.count() == 1


def test_sixty_four_identical_drawdowns_debit_once(simulators: RunningSimulators, settings: Settings) -> None:
    settings.IDEMPOTENCY_WAIT_MS = 4000
    a_priced_filing()
    a_payer("DRAWDOWN")
    partner = Partner()
    partner.get(INVOICES)
    order = an_order("A-DRAWDOWN")
    bodies = repeated(partner, at_once(partner, INVOICES, order, key="draw"), INVOICES, order, "draw")
    assert len(set(bodies)) == 1
    invoice = Invoice.objects.get()
    assert (invoice.status, len(simulators.debits())) == ("PAID", 1)


def test_of_sixty_four_refunds_of_all_one_is_taken() -> None:
    from datetime import UTC, datetime

    from invoices.operations.settling import settle
    from tests.invoices.billed import STAFF

    invoice = an_invoice("PAD")
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=datetime.now(UTC))
    partner = Partner()
    partner.get(INVOICES)
    answers = at_once(partner, f"{INVOICES}/{invoice.pk}/refunds", {"reason": "All of it"}, key=None)
    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: AT_ONCE - 1}
    assert Refund.objects.count() == 1
    invoice.refresh_from_db()
    assert (invoice.status, str(invoice.credited_amount)) == ("CREDITED", "33.08")
