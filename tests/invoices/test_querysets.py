"""Reads that many invoices must not slow down, and locks that are taken for real and in one order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoices.models import CardAttempt, Credit, Invoice, InvoiceLine, OutsideCall, Refund
from invoices.operations.settling import settle
from kernel.transactions import unit_of_work
from tests.invoices.billed import AT, STAFF, a_credit, an_invoice, evidence_of, stored

pytestmark = pytest.mark.django_db(transaction=True)
LATE = AT + timedelta(days=30)


def plan_of(query: object) -> str:
    """How PostgreSQL reads this when rows are cheap to skip, as they are among a million."""
    statement, parameters = query.query.sql_with_params()  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze invoice")
        cursor.execute("begin")
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain (analyze, costs off, timing off, summary off) {statement}", parameters)
        plan = "\n".join(row for (row,) in cursor.fetchall())
        cursor.execute("rollback")
    return plan


def test_what_is_stuck_is_found_in_the_index_alone() -> None:
    stuck = [an_invoice("PAD"), an_invoice("EFT", at=AT + timedelta(days=1))]
    an_invoice("PAD", at=LATE)
    paid = an_invoice("EJV")
    settle(paid.pk, evidence_of(paid), actor=STAFF, at=AT)

    query = Invoice.objects.stuck_approved(before=LATE)

    assert list(query) == [
        {"id": invoice.pk, "payment_method": invoice.payment_method, "created_at": invoice.created_at}
        for invoice in stuck
    ]
    plan = plan_of(query)
    assert "Index Only Scan using invoice_stale" in plan
    assert "Heap Fetches: 0" in plan
    assert "Sort" not in plan


def test_what_is_past_due_is_found_by_its_index() -> None:
    due = an_invoice("EFT")
    an_invoice("PAD")
    query = Invoice.objects.past_due(due.overdue_date)
    assert list(query) == [due]
    assert list(Invoice.objects.past_due(due.overdue_date - timedelta(seconds=1))) == []
    assert "invoice_due" in plan_of(query.values("id"))


def test_every_lock_is_taken_in_order_of_the_keys_and_of_its_own_table_only() -> None:
    first, second = an_invoice("PAD"), an_invoice("DRAWDOWN")
    a_credit("PAD", "10")
    call = OutsideCall.objects.get()
    lockings = [
        lambda: Invoice.objects.lock([second.pk, first.pk]),
        lambda: InvoiceLine.objects.lock(first.pk),
        lambda: Credit.objects.lock_with_money_left(first.account_id, method="PAD"),
        lambda: Refund.objects.lock([7]),
        lambda: CardAttempt.objects.lock([]),
        lambda: OutsideCall.objects.lock([call.pk]),
    ]
    for locking in lockings:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            locked = unit_of_work(locking)()
        statements = [query["sql"] for query in asked if "FOR NO KEY UPDATE" in query["sql"]]
        assert isinstance(locked, list)
        assert [row.pk for row in locked] == sorted(row.pk for row in locked)
        assert all(" ORDER BY " in statement and " OF " in statement for statement in statements)


def test_rows_that_refer_to_a_locked_invoice_can_be_added_meanwhile() -> None:
    invoice = an_invoice("DIRECT_PAY")

    @unit_of_work
    def hold_and_add() -> None:
        Invoice.objects.lock([invoice.pk])
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("set lock_timeout = '200ms'")
                cursor.execute(
                    "insert into card_attempt (id, invoice_id, status, status_since, amount, client_url, pay_url, "
                    "response, reason_code, started_at) values (gen_random_uuid(), %s, 'CREATED', now(), 1, '', '', "
                    "'', '', now())",
                    [invoice.pk],
                )
        finally:
            other.close()

    hold_and_add()

    assert CardAttempt.objects.filter(invoice=stored(invoice)).count() == 1
