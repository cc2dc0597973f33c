"""Money comes once, is never lost, and the payment date is the moment at which it was final."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from invoices.models import Credit, IllegalInvoiceMove, Invoice, Receipt
from invoices.operations.refundapprovals import request_refund
from invoices.operations.settling import (
    NothingToTakeBack,
    NotScheduled,
    ReceiptAmountUnfit,
    ReceiptDiffers,
    TooLateToReopen,
    charge_back,
    note_gl_change,
    reopen,
    schedule,
    settle,
)
from invoices.operations.standing import NoSuchInvoice
from invoices.operations.stopping import cancel
from kernel.audit.models import AuditEntry
from tests.invoices.billed import AT, CLIENT, STAFF, a_paid_invoice, an_invoice, evidence_of, refund, stored
from tests.invoices.traces import breaches, refused

pytestmark = pytest.mark.django_db(transaction=True)
# The column "Application Date" of a settlement line: a day of the ledger, at its midnight.
APPLIED_ON = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def numbers(invoice: Invoice) -> list[tuple[str, str]]:
    return [(reference.invoice_number, reference.status) for reference in invoice.references.order_by("pk")]


@pytest.mark.parametrize("method", ["PAD", "ONLINE_BANKING", "EJV", "EFT"])
def test_the_payment_date_is_what_the_evidence_says_and_not_when_it_was_read(method: str) -> None:
    invoice = an_invoice(method)
    evidence = evidence_of(invoice, receipt_date=APPLIED_ON, final_at=APPLIED_ON, origin={"file": "S1", "line": 7})

    settle(invoice.pk, evidence, actor=STAFF, at=AT)

    assert (stored(invoice).status, stored(invoice).payment_date) == ("PAID", APPLIED_ON)
    assert stored(invoice).status_since == AT
    entry = AuditEntry.objects.get(action="invoice.money-received")
    assert (entry.source, entry.recorded_at) == ({"file": "S1", "line": 7}, AT)


def test_of_two_parts_the_one_that_completes_it_is_its_payment_date() -> None:
    invoice = an_invoice("ONLINE_BANKING")

    settle(invoice.pk, evidence_of(invoice, "A", amount="20", final_at=APPLIED_ON), actor=STAFF, at=AT)
    assert (stored(invoice).status, stored(invoice).payment_date) == ("PARTIAL_PAID", None)
    settle(invoice.pk, evidence_of(invoice, "B", amount="13.08"), actor=STAFF, at=AT)

    assert (stored(invoice).status, stored(invoice).payment_date) == ("PAID", AT)
    assert stored(invoice).paid_amount == Decimal("33.08")


def test_what_comes_after_it_was_paid_leaves_its_payment_date_and_becomes_a_credit() -> None:
    invoice = an_invoice("PAD")
    settle(invoice.pk, evidence_of(invoice, "A", final_at=APPLIED_ON), actor=STAFF, at=AT)

    later = settle(invoice.pk, evidence_of(invoice, "B"), actor=STAFF, at=AT + timedelta(days=1))

    assert (later.is_new, later.receipt.amount, later.receipt.excess) == (True, Decimal("0.00"), Decimal("33.08"))
    assert (stored(invoice).payment_date, stored(invoice).paid_amount) == (APPLIED_ON, Decimal("33.08"))
    credit = Credit.objects.get()
    assert (credit.amount, credit.kind, credit.ledger_identifier) == (Decimal("33.08"), "ON_ACCOUNT", "B")
    assert (credit.account_id, credit.payment_method, credit.receipt) == (invoice.account_id, "PAD", later.receipt)


@pytest.mark.parametrize(
    ("amount", "paid", "credited"), [("33.07", "33.07", "0.00"), ("33.08", "33.08", "0.00"), ("33.09", "33.08", "0.01")]
)
def test_the_invoice_takes_what_it_owes_and_the_account_the_rest(amount: str, paid: str, credited: str) -> None:
    invoice = an_invoice("ONLINE_BANKING")

    settled = settle(invoice.pk, evidence_of(invoice, amount=amount), actor=STAFF, at=AT)

    assert (settled.receipt.amount, settled.receipt.excess) == (Decimal(paid), Decimal(credited))
    assert stored(invoice).owing == Decimal("33.08") - Decimal(paid)
    assert sum(credit.amount for credit in Credit.objects.all()) == Decimal(credited)
    assert breaches() == {}


def test_money_for_what_was_stopped_goes_to_the_account_whole() -> None:
    invoice = an_invoice("PAD")
    cancel(invoice.pk, actor=CLIENT, reason="Twice", at=AT)

    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)

    assert (stored(invoice).status, stored(invoice).paid_amount) == ("CANCELLED", Decimal("0.00"))
    assert Credit.objects.get().amount == Decimal("33.08")


def test_a_debit_that_arrives_after_it_was_credited_pays_it_and_makes_no_second_credit() -> None:
    invoice = an_invoice("PAD")
    schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    refund(invoice)
    assert (stored(invoice).status, Credit.objects.count()) == ("CREDITED", 1)

    settled = settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)

    assert (settled.credit, Credit.objects.count()) == (None, 1)
    assert (stored(invoice).status, stored(invoice).paid_amount) == ("CREDITED", Decimal("33.08"))
    assert numbers(invoice) == [("L1", "COMPLETED")]
    assert breaches() == {}


def test_the_same_evidence_again_is_the_same_receipt_and_changes_nothing() -> None:
    invoice = an_invoice("PAD")
    first = settle(invoice.pk, evidence_of(invoice, amount="40"), actor=STAFF, at=AT)
    before = stored(invoice).__dict__ | {"_state": None}

    again = settle(invoice.pk, evidence_of(invoice, amount="40"), actor=CLIENT, at=AT + timedelta(days=1))

    assert (again.is_new, again.receipt, again.credit) == (False, first.receipt, first.credit)
    assert stored(invoice).__dict__ | {"_state": None} == before
    assert (Receipt.objects.count(), Credit.objects.count()) == (1, 1)


def test_one_receipt_of_a_night_s_debit_pays_each_of_its_invoices() -> None:
    first, second = an_invoice("PAD"), an_invoice("PAD")

    for invoice in (first, second):
        settle(invoice.pk, evidence_of(invoice, "NIGHT"), actor=STAFF, at=AT)

    assert [stored(invoice).status for invoice in (first, second)] == ["PAID", "PAID"]
    assert Receipt.objects.filter(receipt_number="NIGHT").count() == 2


def test_the_same_receipt_with_another_amount_is_refused_and_both_amounts_are_named() -> None:
    invoice = an_invoice("PAD")
    settle(invoice.pk, evidence_of(invoice, amount="40"), actor=STAFF, at=AT)

    with refused(ReceiptDiffers) as refusal:
        settle(invoice.pk, evidence_of(invoice, amount="33.08"), actor=STAFF, at=AT)

    assert (refusal.value.context["recorded"], refusal.value.context["came"]) == ("40.00", "33.08")


@pytest.mark.parametrize("amount", ["0", "-0.01"])
def test_a_receipt_of_nothing_pays_no_invoice_that_costs_something(amount: str) -> None:
    invoice = an_invoice("PAD")
    with refused(ReceiptAmountUnfit):
        settle(invoice.pk, evidence_of(invoice, amount=amount), actor=STAFF, at=AT)


def test_nothing_is_settled_that_is_not_there() -> None:
    invoice = an_invoice("PAD")
    with refused(NoSuchInvoice):
        settle(invoice.pk + 1, evidence_of(invoice), actor=STAFF, at=AT)


def test_a_ledger_number_is_noted_once_and_completed_by_the_money() -> None:
    invoice = an_invoice("PAD")
    first = schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    again = schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT + timedelta(hours=1))
    assert (first.pk, again.created_at, stored(invoice).status) == (again.pk, AT, "APPROVED")

    with refused(NotScheduled):
        schedule(invoice.pk, invoice_number="L2", actor=STAFF, at=AT)
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)
    with refused(NotScheduled):
        schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)

    assert numbers(invoice) == [("L1", "COMPLETED")]


def test_taking_a_transfer_off_clears_the_payment_date_and_the_number_waits_again() -> None:
    invoice = an_invoice("EFT")
    schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)

    reopen(invoice.pk, reason="Matched wrongly", actor=STAFF, at=AT + timedelta(days=60))

    assert (stored(invoice).status, stored(invoice).payment_date) == ("APPROVED", None)
    assert (stored(invoice).paid_amount, stored(invoice).owing) == (Decimal("0.00"), Decimal("33.08"))
    assert numbers(invoice) == [("L1", "ACTIVE")]
    # The receipt stands with its reversal: no money row is edited.
    assert [(row.amount, row.reverses_id is None) for row in Receipt.objects.order_by("pk")] == [
        (Decimal("33.08"), True),
        (Decimal("33.08"), False),
    ]
    assert AuditEntry.objects.get(action="invoice.reopened").reason == "Matched wrongly"
    assert breaches() == {}


def test_a_transfer_is_not_taken_off_after_sixty_days() -> None:
    invoice = a_paid_invoice("EFT")
    with refused(TooLateToReopen):
        reopen(invoice.pk, reason="Matched wrongly", actor=STAFF, at=AT + timedelta(days=60, seconds=1))


def test_only_money_that_stands_on_a_transfer_is_taken_off() -> None:
    unpaid, debit = an_invoice("EFT"), a_paid_invoice("PAD", number="R2")
    given_back = a_paid_invoice("EFT", number="R3")
    request_refund(given_back.pk, None, reason="Twice", actor=CLIENT, scopes=["refunds:request"], at=AT)

    for invoice in (unpaid, given_back):
        with refused(NothingToTakeBack):
            reopen(invoice.pk, reason="Matched wrongly", actor=STAFF, at=AT)
    with refused(IllegalInvoiceMove):
        reopen(debit.pk, reason="Matched wrongly", actor=STAFF, at=AT)


@pytest.mark.parametrize("method", ["PAD", "EFT", "EJV", "ONLINE_BANKING", "INTERNAL"])
def test_nothing_but_a_card_payment_is_charged_back(method: str) -> None:
    invoice = stored(an_invoice("INTERNAL")) if method == "INTERNAL" else a_paid_invoice(method)
    with refused(IllegalInvoiceMove):
        charge_back(invoice.pk, reason="The issuer says so", actor=STAFF, at=AT)


def test_an_unpaid_card_invoice_is_not_charged_back_and_a_paid_one_once() -> None:
    unpaid, paid = an_invoice("DIRECT_PAY"), a_paid_invoice("DIRECT_PAY")
    with refused(IllegalInvoiceMove):
        charge_back(unpaid.pk, reason="The issuer says so", actor=STAFF, at=AT)

    charge_back(paid.pk, reason="The issuer says so", actor=STAFF, at=AT)
    charge_back(paid.pk, reason="Once more", actor=STAFF, at=AT + timedelta(days=1))

    assert (stored(paid).status, stored(paid).charged_back_at, stored(paid).owing) == ("CHARGEBACK", AT, 0)
    assert AuditEntry.objects.filter(action="invoice.charged-back").count() == 1


@pytest.mark.parametrize("method", ["DIRECT_PAY", "PAD", "ONLINE_BANKING"])
def test_revenue_lines_change_only_on_what_the_gateway_has(method: str) -> None:
    invoice = an_invoice(method)
    with refused(IllegalInvoiceMove):
        note_gl_change(invoice.pk, is_posted=False, actor=STAFF, at=AT)

    assert note_gl_change(invoice.pk, is_posted=True, actor=STAFF, at=AT).gl_changed_at is None
