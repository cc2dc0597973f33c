"""What must always be true of invoices holds after every kind of life, and each rule names the row that breaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from invoices.balances import Facts, implied_status
from invoices.invariants import INVARIANTS
from invoices.invariants.statuses import IMPLIED_STATUS, first_statuses
from invoices.methods import find_method
from invoices.models import Credit, Invoice
from invoices.operations.crediting import apply_credit
from invoices.operations.refunding import record_manual_refund
from invoices.operations.settling import bounce, reopen, schedule, settle
from invoices.operations.stopping import cancel
from invoices.states import FeeType
from kernel.invariants.operations import verify
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_credit,
    a_paid_invoice,
    a_part,
    a_payer,
    a_product,
    an_invoice,
    evidence_of,
    refund,
)

OURS = tuple(invariant.name for invariant in INVARIANTS)


def execute(statement: str, *parameters: Any) -> None:
    """Goes around the triggers and foreign keys, as a hand at the database's own console could."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement, parameters)


def broken(*, at: Any = AT) -> dict[str, list[str]]:
    """The ids that break each of our invariants, of those that are broken."""
    outcomes = verify(only=OURS, at=at)
    return {
        outcome.invariant.name: [breach.id for breach in outcome.look.breaches]
        for outcome in outcomes
        if outcome.is_broken
    }


@contextmanager
def without_index(name: str) -> Iterator[None]:
    """Takes a guard of the database away, and brings it back over the rows that were there before."""
    with connection.cursor() as cursor:
        cursor.execute("select indexdef from pg_indexes where indexname = %s", [name])
        (again,) = cursor.fetchone()
        cursor.execute(f"drop index {name}")
    try:
        yield
    finally:
        execute("delete from invoice_reference")
        with connection.cursor() as cursor:
            cursor.execute(again)


@pytest.fixture
def lived() -> dict[str, Invoice]:
    """Invoices that were paid, refunded, credited, bounced, reopened, stopped: all that moves a sum."""
    a_payer("PAD")
    invoices = {"paid": a_paid_invoice("PAD"), "open": an_invoice("PAD")}
    invoices["credited"] = a_paid_invoice("PAD", number="R2")
    refund(invoices["credited"], a_part(invoices["credited"], "10"))
    refund(invoices["credited"])
    invoices["held"] = a_paid_invoice("DIRECT_PAY", number="R3")
    refund(invoices["held"], a_part(invoices["held"], "1.50", FeeType.SERVICE_FEES))
    invoices["unpaid-credited"] = an_invoice("PAD")
    schedule(invoices["unpaid-credited"].pk, invoice_number="L1", actor=STAFF, at=AT)
    refund(invoices["unpaid-credited"])
    invoices["stopped"] = an_invoice("EJV")
    cancel(invoices["stopped"].pk, actor=CLIENT, reason="Twice", at=AT)
    invoices["cheque"] = a_paid_invoice("EJV", number="R4")
    record_manual_refund(invoices["cheque"].pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)
    a_credit("EFT", "10")
    invoices["part"] = an_invoice("EFT")
    apply_credit(invoices["part"].pk, actor=STAFF, at=AT)
    invoices["reopened"] = a_paid_invoice("EFT", number="R5")
    reopen(invoices["reopened"].pk, reason="Matched wrongly", actor=STAFF, at=AT)
    bounced = a_paid_invoice("PAD", number="R6")
    bounce(bounced.pk, reason="Funds not cleared", actor=STAFF, at=AT)
    settle(bounced.pk, evidence_of(bounced, "R7"), actor=STAFF, at=AT)
    invoices["debit"] = an_invoice("DRAWDOWN")
    return {name: Invoice.objects.get(pk=invoice.pk) for name, invoice in invoices.items()}


@pytest.mark.django_db(transaction=True)
def test_all_of_it_holds_after_every_kind_of_life(
    lived: dict[str, Invoice], capsys: pytest.CaptureFixture[str]
) -> None:
    assert broken() == {}

    # In the hour of these lives: later, calls that nobody makes here would be forgotten ones.
    with time_machine.travel(AT, tick=False):
        call_command("verify", "--json", *[part for name in OURS for part in ("--only", name)])
    document = json.loads(capsys.readouterr().out)

    looked_at = {found["name"]: found["looked_at"] for found in document["invariants"]}
    assert document["broken"] == []
    assert looked_at["invoice-status-implied"] == Invoice.objects.count()
    assert looked_at["credits-add-up"] == Credit.objects.count()
    assert looked_at["outside-calls-known"] == 2
    assert all(looked_at.values()), f"Some rule looked at nothing: {looked_at}"


UPDATES = {
    "status": ("paid", "update invoice set status = 'GL_UPDATED' where id = %s", ["invoice-status-implied"]),
    "paid-for-nothing": (
        "open",
        "update invoice set paid_amount = 1, status = 'PARTIAL_PAID' where id = %s",
        ["invoice-paid-by-receipts"],
    ),
    "date-cleared": (
        "held",
        "update invoice set payment_date = null, status = 'PARTIAL_PAID' where id = %s",
        ["invoice-status-implied"],
    ),
    "date-of-the-unpaid": (
        "stopped",
        "update invoice set payment_date = now() where id = %s",
        ["invoice-status-implied"],
    ),
    "receipt": (
        "paid",
        "update receipt set amount = amount - 1 where invoice_id = %s",
        ["invoice-paid-by-receipts"],
    ),
    "refund-sum": (
        "paid",
        "update invoice set credited_amount = 5 where id = %s",
        ["invoice-refunds-add-up"],
    ),
    "refund-under-way": (
        "held",
        "update invoice set pending_amount = 0 where id = %s",
        ["invoice-refunds-add-up"],
    ),
    "line-total": (
        "paid",
        "update invoice_line set service_fees = 1.49 where invoice_id = %s",
        ["invoice-totals-add-up"],
    ),
    "gst": ("paid", "update invoice set gst = 0 where id = %s", ["invoice-totals-add-up"]),
    "active-number": (
        "cheque",
        "insert into invoice_reference (invoice_id, invoice_number, reference_number, status, is_consolidated,"
        " created_at, status_since) values (%s, 'L9', '', 'ACTIVE', false, now(), now())",
        ["invoice-number-active-once"],
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", sorted(UPDATES))
def test_a_row_that_was_changed_by_hand_is_named(wrong: str, lived: dict[str, Invoice]) -> None:
    which, statement, names = UPDATES[wrong]

    execute(statement, lived[which].pk)

    found = broken()
    assert sorted(found) == names
    assert found[names[0]] == [str(lived[which].pk)]


@pytest.mark.django_db(transaction=True)
def test_what_a_line_holds_for_nothing_is_named(lived: dict[str, Invoice]) -> None:
    line = lived["paid"].lines.get()
    execute("update invoice_line set undone_base_fees = 3 where id = %s", line.pk)

    assert broken() == {"invoice-parts-held": [str(line.pk)]}


@pytest.mark.django_db(transaction=True)
def test_a_part_of_a_refund_that_no_line_holds_is_named(lived: dict[str, Invoice]) -> None:
    line = lived["held"].lines.get()
    execute("update invoice_line set undone_service_fees = 0 where id = %s", line.pk)

    assert broken() == {"invoice-parts-held": [str(line.pk)]}


@pytest.mark.django_db(transaction=True)
def test_a_refund_that_is_not_its_lines_is_named(lived: dict[str, Invoice]) -> None:
    held = lived["held"].refunds.get()
    execute("update refund_line set amount = 1 where refund_id = %s", held.pk)

    assert broken()["invoice-refunds-add-up"] == [str(held.pk)]


@pytest.mark.django_db(transaction=True)
def test_credits_that_do_not_add_up_are_named(lived: dict[str, Invoice]) -> None:
    applied = Credit.objects.get(payment_method="EFT")
    execute("update credit set applied_amount = 0 where id = %s", applied.pk)
    assert broken() == {"credits-add-up": [str(applied.pk)]}

    execute("update credit set applied_amount = 10, amount = 11 where id = %s", applied.pk)
    assert broken() == {"credits-add-up": [str(applied.pk)]}

    receipt = applied.receipt
    assert receipt is not None
    execute("update credit set amount = 10, receipt_id = null, source_invoice_id = null where id = %s", applied.pk)
    assert broken() == {"credits-add-up": [str(receipt.pk)]}


@pytest.mark.django_db(transaction=True)
def test_an_application_that_pays_something_else_than_it_takes_is_named(lived: dict[str, Invoice]) -> None:
    application = lived["part"].credit_applications.get()
    execute("update credit_application set amount = 9 where id = %s", application.pk)

    assert broken() == {"credits-add-up": [str(application.credit_id), str(application.pk)]}


@pytest.mark.django_db(transaction=True)
def test_a_service_fee_that_goes_to_the_partner_is_named(lived: dict[str, Invoice]) -> None:
    line = lived["paid"].lines.get()
    assert a_product().has_partner_disbursements
    execute(
        "update gl_code set disbursement_gl_id = (select service_fee_gl_id from gl_code g where g.id = gl_code.id)"
        " where id = %s",
        line.gl_code_id,
    )
    assert len(broken()["service-fee-ours"]) == Invoice.objects.count()

    execute("update gl_code set disbursement_gl_id = null where id = %s", line.gl_code_id)
    execute(
        "insert into invoice_line (invoice_id, fee_schedule_id, filing_type_id, description, quantity, base_fees,"
        " priority_fees, future_effective_fees, total, service_fees, statutory_gst, service_gst, pst, waived_fees,"
        " waived_by, status, fee_gl, service_fee_gl, statutory_gst_gl, service_gst_gl, undone_base_fees,"
        " undone_priority_fees, undone_future_effective_fees, undone_service_fees, undone_statutory_gst,"
        " undone_service_gst) select invoice_id, fee_schedule_id, filing_type_id, 'Once more', 1, 0, 0, 0, 0, 1.50, 0,"
        " 0, 0, 0, '', 'ACTIVE', '', '', '', '', 0, 0, 0, 0, 0, 0 from invoice_line where id = %s",
        line.pk,
    )
    assert broken()["service-fee-ours"] == [str(lived["paid"].pk)]


@pytest.mark.django_db(transaction=True)
def test_two_active_numbers_are_named_even_where_the_index_is_gone() -> None:
    invoice = an_invoice("PAD")
    with without_index("invoice_reference_one_active"):
        for number in ("L1", "L2"):
            execute(
                "insert into invoice_reference (invoice_id, invoice_number, reference_number, status, is_consolidated,"
                " created_at, status_since) values (%s, %s, '', 'ACTIVE', false, now(), now())",
                invoice.pk,
                number,
            )
        assert broken() == {"invoice-number-active-once": [str(invoice.pk)]}


@pytest.mark.django_db(transaction=True)
def test_a_call_that_nobody_asks_about_any_more_is_named(lived: dict[str, Invoice]) -> None:
    debit = lived["debit"].outside_calls.get()
    card = lived["held"].outside_calls.get()

    assert broken(at=AT + timedelta(minutes=59)) == {}
    assert broken(at=AT + timedelta(hours=2)) == {"outside-calls-known": [str(debit.pk)]}
    assert broken(at=AT + timedelta(days=2)) == {"outside-calls-known": sorted([str(debit.pk), str(card.pk)])}


AMOUNTS = st.sampled_from(["0.00", "0.01", "10.00", "23.08", "33.07", "33.08", "66.16"]).map(Decimal)
FLAGS = [
    "charged_back_at",
    "cancelled_at",
    "deleted_at",
    "abandoned_at",
    "bounced_at",
    "overdue_at",
    "gl_changed_at",
    "scheduled_at",
    "payment_date",
]
SUMS = ["total", "paid_amount", "refunded_amount", "credited_amount", "manual_amount", "pending_amount"]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "payment_method": st.sampled_from(["PAD", "EFT", "DIRECT_PAY", "ONLINE_BANKING", "NO_FEE"]),
            **dict.fromkeys(SUMS, AMOUNTS),
            # Mostly empty, as they are.
            **dict.fromkeys(FLAGS, st.sampled_from([None, None, None, AT.isoformat()])),
        }
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.django_db
@settings(deadline=None, max_examples=150)
@given(ROWS)
def test_the_sql_of_the_status_says_what_the_code_says(rows: list[dict[str, Any]]) -> None:
    text = json.dumps([{name: str(value) if name in SUMS else value for name, value in row.items()} for row in rows])
    columns = ", ".join([f"{name} numeric" for name in SUMS] + [f"{name} timestamptz" for name in FLAGS])
    parameters: dict[str, Any] = {"rows": text, "first": first_statuses()}
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {IMPLIED_STATUS} from rows from (jsonb_to_recordset(%(rows)s::jsonb)"
            f" as (payment_method text, {columns})) with ordinality invoice order by ordinality",
            parameters,
        )
        by_sql = [status for (status,) in cursor.fetchall()]

    assert by_sql == [implied_status(_facts(row)).value for row in rows]


def _facts(row: dict[str, Any]) -> Facts:
    return Facts(
        first_status=find_method(row["payment_method"]).first_status,
        total=row["total"],
        paid=row["paid_amount"],
        refunded=row["refunded_amount"],
        credited=row["credited_amount"],
        manual=row["manual_amount"],
        pending=row["pending_amount"],
        is_settled=row["payment_date"] is not None,
        is_cancelled=row["cancelled_at"] is not None,
        is_abandoned=row["abandoned_at"] is not None,
        is_deleted=row["deleted_at"] is not None,
        is_bounced=row["bounced_at"] is not None,
        is_overdue=row["overdue_at"] is not None,
        is_charged_back=row["charged_back_at"] is not None,
        is_gl_changed=row["gl_changed_at"] is not None,
        is_scheduled=row["scheduled_at"] is not None,
    )
