"""Refunds by method, one after the other, as far as the money reaches, and only the outside says that it went back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from invoices.models import Credit, IllegalRefundMove, Invoice, Refund
from invoices.operations.refundapprovals import find_refund, request_refund
from invoices.operations.refunding import (
    EvidenceMissing,
    NoSuchRefund,
    RefundReasonMissing,
    finish_refund,
    record_manual_refund,
    refuse_refund,
)
from invoices.operations.refundplans import RefundNotAllowed
from invoices.operations.settling import mark_overdue, reopen, schedule, settle
from invoices.states import FeeType
from kernel.outbox.models import OutboxEvent
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_paid_invoice,
    a_part,
    a_payer,
    a_product,
    an_invoice,
    evidence_of,
    refund,
    stored,
)
from tests.invoices.traces import breaches, everything, refused

pytestmark = pytest.mark.django_db(transaction=True)
TOTAL = Decimal("33.08")
LATER = AT + timedelta(days=2)
# The effective date of a line of the feedback file.
EFFECTIVE_ON = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


def in_ledger(invoice: Invoice, *, is_consolidated: bool = False) -> Invoice:
    schedule(invoice.pk, invoice_number=f"L{invoice.pk}", actor=STAFF, at=AT)
    invoice.references.update(is_consolidated=is_consolidated)
    return stored(invoice)


def confirmed(asked: Refund) -> Invoice:
    finish_refund(asked.pk, evidence="Journal 12", final_at=EFFECTIVE_ON, actor=STAFF, at=LATER)
    return stored(asked.invoice)


def references(invoice: Invoice) -> list[str]:
    return [reference.status for reference in invoice.references.order_by("pk")]


# Transfers, case by case (domain.md 2.3), as far as deposits are not concerned.


def test_a_transfer_that_the_ledger_does_not_know_is_stopped_now() -> None:
    invoice = an_invoice("EFT")

    asked = refund(invoice, at=LATER)

    assert (asked.outcome, asked.status) == ("CANCEL", "PROCESSED")
    assert (stored(invoice).status, stored(invoice).refund_date) == ("CANCELLED", LATER)
    assert Credit.objects.count() == 0


def test_a_transfer_that_the_ledger_waits_for_is_cancelled_when_the_ledger_has_turned_it_back() -> None:
    invoice = in_ledger(an_invoice("EFT"))

    asked = refund(invoice)
    assert (stored(invoice).status, stored(invoice).refund_date) == ("REFUND_REQUESTED", None)
    now = confirmed(asked)

    assert (now.status, now.refund_date, now.refunded_amount) == ("CANCELLED", EFFECTIVE_ON, Decimal("0.00"))
    assert (find_refund(asked.pk).outcome, references(invoice)) == ("CANCEL", ["CANCELLED"])
    assert breaches() == {}


def test_a_transfer_that_was_paid_is_refunded_when_its_receipt_is_turned_back() -> None:
    invoice = in_ledger(an_invoice("EFT"))
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)

    now = confirmed(refund(stored(invoice)))

    assert (now.status, now.refund_date, now.refunded_amount) == ("REFUNDED", EFFECTIVE_ON, TOTAL)
    assert (now.payment_date, references(invoice)) == (AT, ["COMPLETED"])
    assert breaches() == {}


def test_a_transfer_that_was_paid_with_others_as_one_is_not_refunded_here() -> None:
    invoice = in_ledger(an_invoice("EFT"), is_consolidated=True)
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)
    for parts in ((), (a_part(invoice, "10"),)):
        with refused(RefundNotAllowed):
            refund(stored(invoice), *parts)


def test_a_part_of_a_transfer_becomes_one_credit_of_the_account_and_goes_nowhere_else() -> None:
    invoice = a_paid_invoice("EFT")

    asked = refund(invoice, a_part(invoice, "10"), at=LATER)

    now = stored(invoice)
    assert (now.status, now.credited_amount, now.refunded_amount) == ("PAID", Decimal("10.00"), Decimal("0.00"))
    assert (now.refund_date, asked.status) == (LATER, "PROCESSED")
    assert [(credit.amount, credit.kind) for credit in Credit.objects.all()] == [(Decimal("10.00"), "CREDIT_MEMO")]


@pytest.mark.parametrize("stage", ["unpaid", "overdue", "part-paid", "reopened"])
def test_a_part_of_a_transfer_is_refunded_only_while_it_is_paid(stage: str) -> None:
    invoice = an_invoice("EFT")
    if stage == "overdue":
        mark_overdue(invoice.pk, at=invoice.overdue_date)
    if stage == "part-paid":
        settle(invoice.pk, evidence_of(invoice, amount="10"), actor=STAFF, at=AT)
    if stage == "reopened":
        settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)
        reopen(invoice.pk, reason="Matched wrongly", actor=STAFF, at=AT)
    with refused(RefundNotAllowed):
        refund(stored(invoice), a_part(invoice, "10"))


# Debits and vouchers.


def test_a_debit_that_the_ledger_does_not_know_is_stopped_and_one_that_it_knows_is_credited() -> None:
    early, late = an_invoice("PAD"), in_ledger(an_invoice("PAD"))

    outcomes = [refund(invoice, at=LATER).outcome for invoice in (early, late)]

    assert outcomes == ["CANCEL", "CREDIT"]
    assert [stored(invoice).status for invoice in (early, late)] == ["CANCELLED", "CREDITED"]
    assert [stored(invoice).refund_date for invoice in (early, late)] == [LATER, LATER]
    assert [(credit.amount, credit.source_invoice) for credit in Credit.objects.all()] == [(TOTAL, late)]


def test_a_voucher_that_no_file_names_is_stopped_and_one_that_is_sent_waits_for_its_reversal() -> None:
    early, late = an_invoice("EJV"), in_ledger(an_invoice("EJV"))

    refund(early)
    asked = refund(late)

    assert [stored(invoice).status for invoice in (early, late)] == ["CANCELLED", "REFUND_REQUESTED"]
    settle(late.pk, evidence_of(late), actor=STAFF, at=AT)
    assert (stored(late).status, stored(late).payment_date) == ("REFUND_REQUESTED", AT)
    assert (confirmed(asked).status, stored(late).refunded_amount) == ("REFUNDED", TOTAL)


def test_a_voucher_of_our_own_organisation_is_paid_and_refunded_at_once() -> None:
    account = a_payer("EJV", number="A-OURS", billable=False)
    invoice = an_invoice("EJV", account=account)
    assert (stored(invoice).status, stored(invoice).payment_date) == ("PAID", AT)

    refund(stored(invoice), at=LATER)

    assert (stored(invoice).status, stored(invoice).refund_date) == ("REFUNDED", LATER)


# Several refunds of one invoice.


def test_a_refund_does_not_bar_the_next_one() -> None:
    invoice = a_paid_invoice("PAD")

    refund(invoice, a_part(invoice, "10"), at=AT)
    refund(stored(invoice), a_part(invoice, "5"), a_part(invoice, "1.50", FeeType.SERVICE_FEES), at=LATER)

    now = stored(invoice)
    assert (now.status, now.credited_amount, now.refund_date) == ("PAID", Decimal("16.50"), LATER)
    assert Refund.objects.filter(status="PROCESSED").count() == 2


def test_parts_that_make_up_the_whole_end_as_a_full_refund_does() -> None:
    invoice = a_paid_invoice("PAD")

    refund(invoice, a_part(invoice, "30"))
    last = refund(stored(invoice))

    assert (last.is_full, last.amount) == (False, Decimal("3.08"))
    assert (stored(invoice).status, stored(invoice).credited_amount) == ("CREDITED", TOTAL)
    assert sum(credit.amount for credit in Credit.objects.all()) == TOTAL
    told = [json.loads(event.body)["statusCode"] for event in reversals(invoice)]
    assert told == ["PARTIALLY_REVERSED", "REVERSED"]
    assert breaches() == {}


def reversals(invoice: Invoice) -> list[OutboxEvent]:
    of_it = OutboxEvent.objects.filter(subject=f"invoices/{invoice.pk}", event_type__contains="reversed")
    return list(of_it.order_by("position"))


def test_what_is_under_way_is_held_back_from_the_next_refund_and_free_again_when_it_is_refused() -> None:
    invoice = a_paid_invoice("EJV")
    asked = refund(invoice, a_part(invoice, "30"))
    assert (stored(invoice).pending_amount, invoice.lines.get().undone_base_fees) == (Decimal(30), Decimal(30))

    refuse_refund(asked.pk, error="Closed GL code", actor=STAFF, at=LATER)

    now = stored(invoice)
    assert (now.status, now.pending_amount, now.refund_date) == ("PAID", Decimal(0), None)
    assert (find_refund(asked.pk).status, find_refund(asked.pk).gl_error) == ("REFUSED", "Closed GL code")
    assert invoice.lines.get().undone_base_fees == 0
    assert refund(stored(invoice)).amount == TOTAL
    assert breaches() == {}


# What is not refunded.


@pytest.mark.parametrize(
    ("method", "is_part"),
    [("CC", False), ("CC", True), ("DRAWDOWN", True), ("INTERNAL", True)],
)
def test_what_a_method_does_not_give_back_is_refused(method: str, is_part: bool) -> None:
    invoice = stored(an_invoice("INTERNAL")) if method == "INTERNAL" else a_paid_invoice(method)
    parts = (a_part(invoice, "10"),) if is_part else ()
    with refused(RefundNotAllowed) as refusal:
        refund(invoice, *parts)
    assert refusal.value.context["method"] == method


@pytest.mark.parametrize("method", ["DIRECT_PAY", "ONLINE_BANKING", "DRAWDOWN"])
def test_what_is_not_paid_yet_is_refunded_only_where_it_is_collected_later(method: str) -> None:
    invoice = an_invoice(method)
    with refused(RefundNotAllowed):
        refund(invoice)


def test_a_product_without_refunds_gives_nothing_back_but_by_hand() -> None:
    a_product(refund_allowed=False)
    invoice = a_paid_invoice("PAD")
    with refused(RefundNotAllowed):
        refund(invoice)

    record_manual_refund(invoice.pk, None, reason="Court order", evidence="Cheque 7", actor=STAFF, at=LATER)

    assert (stored(invoice).status, stored(invoice).refund_date) == ("MANUALLY_REFUNDED", LATER)
    assert Credit.objects.count() == 0


@pytest.mark.parametrize("reason", ["", "   ", "x" * 251])
def test_a_refund_says_why_in_at_most_250_characters(reason: str) -> None:
    invoice = a_paid_invoice("PAD")
    with refused(RefundReasonMissing):
        request_refund(invoice.pk, None, reason=reason, actor=CLIENT, at=AT)


@pytest.mark.parametrize("evidence", ["", "  "])
def test_nobody_says_that_money_went_back_without_evidence(evidence: str) -> None:
    invoice = a_paid_invoice("EJV")
    with refused(EvidenceMissing):
        record_manual_refund(invoice.pk, None, reason="Twice", evidence=evidence, actor=STAFF, at=AT)
    asked = refund(invoice)
    with refused(EvidenceMissing):
        finish_refund(asked.pk, evidence=evidence, final_at=AT, actor=STAFF, at=AT)


def test_a_refund_is_confirmed_once_and_keeps_the_date_of_the_first_word() -> None:
    asked = refund(a_paid_invoice("EJV"))
    confirmed(asked)
    before = everything()

    finish_refund(asked.pk, evidence="Journal 13", final_at=LATER, actor=STAFF, at=LATER)

    assert everything() == before
    with refused(IllegalRefundMove):
        refuse_refund(asked.pk, error="No", actor=STAFF, at=LATER)


def test_what_was_refused_is_not_confirmed_afterwards() -> None:
    asked = refund(a_paid_invoice("EJV"))
    refuse_refund(asked.pk, error="No", actor=STAFF, at=AT)
    with refused(IllegalRefundMove):
        finish_refund(asked.pk, evidence="Journal 12", final_at=AT, actor=STAFF, at=AT)


def test_a_refund_that_is_not_there_is_not_found() -> None:
    a_paid_invoice("EJV")
    with refused(NoSuchRefund):
        finish_refund(4711, evidence="Journal 12", final_at=AT, actor=STAFF, at=AT)
    with refused(NoSuchRefund):
        refuse_refund(4711, error="No", actor=STAFF, at=AT)
