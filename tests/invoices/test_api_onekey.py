"""Two different orders under one key at the same moment: the refused one leaves nothing behind, in any table."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from invoices.models import Invoice, InvoiceLine
from kernel.audit.models import AuditEntry
from kernel.idempotency.models import IdempotentRequest
from kernel.outbox.models import OutboxEvent
from tests.invoices.billed import a_payer, a_priced_filing
from tests.invoices.partners import INVOICES, Partner, an_order, answered

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 100


def at_once(partner: Partner, orders: list[dict[str, Any]], key: str) -> list[Any]:
    """The answers, in the order of the orders, each sent over a connection of its own."""
    together = threading.Barrier(len(orders))

    def send(order: dict[str, Any]) -> Any:
        try:
            connection.ensure_connection()
            together.wait(60)
            return partner.post(INVOICES, order, key=key)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(orders)) as threads:
        return list(threads.map(send, orders))


def rows() -> dict[str, int]:
    kinds: tuple[Any, ...] = (Invoice, InvoiceLine, IdempotentRequest, AuditEntry, OutboxEvent)
    return {kind._meta.db_table: kind.objects.count() for kind in kinds}


def test_of_two_orders_under_one_key_the_refused_one_has_no_effect_in_a_hundred_rounds() -> None:
    a_priced_filing()
    a_payer("PAD")
    partner = Partner()
    before = rows()
    answered(partner.post(INVOICES, an_order()), 201)
    one_order = {table: count - before[table] for table, count in rows().items()}

    for number in range(ROUNDS):
        names = [f"A{number}", f"B{number}"]
        orders = [an_order(businessInfo={"businessIdentifier": name, "corpType": "CP"}) for name in names]
        answers = at_once(partner, orders, f"k-{number}")

        assert sorted(answer.status_code for answer in answers) == [201, 422]
        won = next(name for name, answer in zip(names, answers, strict=True) if answer.status_code == 201)
        lost = next(answer for answer in answers if answer.status_code == 422)
        assert answered(lost, 422)["code"] == "idempotency-key-reused"
        kept = Invoice.objects.filter(business_identifier__in=names).values_list("business_identifier", flat=True)
        assert list(kept) == [won]
    assert rows() == {table: before[table] + (ROUNDS + 1) * one_order[table] for table in before}
    assert min(one_order.values()) > 0
