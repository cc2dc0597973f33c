"""What a refund would do is said before it is asked for, part by part, and nothing of it is done yet."""

from __future__ import annotations

from decimal import Decimal

import pytest

from catalogue.models import GLCode
from catalogue.quote import Caller, FilingLine
from invoices.models import Invoice, InvoiceLine
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refunding import record_manual_refund
from invoices.operations.refundplans import (
    NothingLeftToRefund,
    RefundNotAllowed,
    RefundPart,
    RefundPartsUnfit,
    RefundPlanChanged,
    plan_refund,
)
from invoices.operations.settling import schedule, settle
from invoices.states import FeeType
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_paid_invoice,
    a_part,
    a_priced_filing,
    a_product,
    an_invoice,
    evidence_of,
    refund,
    stored,
)
from tests.invoices.traces import everything, refused

pytestmark = pytest.mark.django_db(transaction=True)
PARTS = {
    FeeType.BASE_FEES: Decimal("30.00"),
    FeeType.STATUTORY_GST: Decimal("1.50"),
    FeeType.SERVICE_FEES: Decimal("1.50"),
    FeeType.SERVICE_GST: Decimal("0.08"),
}


def test_all_that_is_left_is_every_part_that_was_charged() -> None:
    invoice = a_paid_invoice("PAD")
    before = everything()

    plan = plan_refund(invoice, None)

    assert {part.fee_type: part.amount for part in plan.parts} == PARTS
    assert (plan.amount, plan.is_full, plan.outcome, plan.credit) == (
        Decimal("33.08"),
        True,
        "CREDIT",
        Decimal("33.08"),
    )
    assert (plan.status_at_once, plan.status_after, plan.needs_approval) == ("CREDITED", "CREDITED", False)
    assert plan.partner_share == Decimal("31.50")
    assert plan.sentences == (
        f"33.08 CAD becomes a credit on account {invoice.account.account_number}.",
        "The invoice is CREDITED then.",
        "31.50 CAD of it is the partner's share and is pulled back from it.",
    )
    assert everything() == before


def test_what_the_outside_must_confirm_is_said_with_the_status_until_then() -> None:
    plan = plan_refund(a_paid_invoice("DIRECT_PAY"), None)
    assert (plan.status_at_once, plan.status_after) == ("REFUND_REQUESTED", "REFUNDED")
    assert plan.sentences[1] == "The invoice is REFUND_REQUESTED until the outside confirms, then REFUNDED."


@pytest.mark.parametrize(
    ("fee_type", "share"),
    [
        (FeeType.BASE_FEES, "10.00"),
        (FeeType.STATUTORY_GST, "1.00"),
        (FeeType.SERVICE_FEES, "0.00"),
        (FeeType.SERVICE_GST, "0.00"),
    ],
)
def test_our_service_fee_and_its_tax_are_never_pulled_back_from_a_partner(fee_type: FeeType, share: str) -> None:
    invoice = a_paid_invoice("PAD")
    amount = {FeeType.BASE_FEES: "10", FeeType.SERVICE_GST: "0.05"}.get(fee_type, "1")
    plan = plan_refund(invoice, [a_part(invoice, amount, fee_type)])
    assert plan.partner_share == Decimal(share)


def test_tax_that_is_booked_elsewhere_than_its_fee_does_not_reach_the_partner() -> None:
    a_priced_filing()
    elsewhere = GLCode.objects.create(
        name="Tax",
        client="112",
        responsibility_centre="32363",
        service_line="34725",
        stob="4377",
        project_code="3200000",
        starts_on="2020-01-01",
    )
    GLCode.objects.filter(name="Registry revenue").update(statutory_gst_gl=elsewhere)
    invoice = a_paid_invoice("PAD")
    line = invoice.lines.get()
    assert line.statutory_gst_gl != line.fee_gl

    plan = plan_refund(invoice, None)

    assert plan.partner_share == Decimal("30.00")


@pytest.mark.parametrize("method", ["DRAWDOWN", "INTERNAL"])
def test_a_partner_that_gets_nothing_through_us_gives_nothing_back(method: str) -> None:
    invoice = an_invoice("INTERNAL") if method == "INTERNAL" else a_paid_invoice(method)
    plan = plan_refund(stored(invoice), None)
    assert (plan.partner_share, plan.sentences[2]) == (Decimal("0.00"), "The partner's share does not change.")


def test_a_partner_gave_nothing_and_got_nothing_of_what_was_never_paid() -> None:
    assert plan_refund(an_invoice("PAD"), None).partner_share == Decimal("0.00")


def test_a_product_without_a_partner_pulls_nothing_back() -> None:
    a_product(has_partner_disbursements=False)
    assert plan_refund(a_paid_invoice("PAD"), None).partner_share == Decimal("0.00")


def unfit(invoice: Invoice, case: str) -> list[RefundPart]:
    part = a_part(invoice, "10")
    other = InvoiceLine.objects.exclude(invoice=invoice).first()
    assert other is not None
    return {
        "none": [],
        "too much": [a_part(invoice, "30.01")],
        "nothing": [a_part(invoice, "0")],
        "negative": [a_part(invoice, "-1")],
        "a part of a cent": [a_part(invoice, "1.005")],
        "twice": [part, part],
        "not charged": [a_part(invoice, "1", FeeType.PRIORITY_FEES)],
        "of another invoice": [RefundPart(other.pk, FeeType.BASE_FEES, Decimal(1))],
    }[case]


@pytest.mark.parametrize(
    ("case", "field", "code"),
    [
        ("none", "refundRevenue", "required"),
        ("too much", "refundRevenue[0].refundAmount", "too-large"),
        ("nothing", "refundRevenue[0].refundAmount", "not-positive"),
        ("negative", "refundRevenue[0].refundAmount", "not-positive"),
        ("a part of a cent", "refundRevenue[0].refundAmount", "too-many-decimals"),
        ("twice", "refundRevenue[1].refundType", "repeated"),
        ("not charged", "refundRevenue[0].refundAmount", "too-large"),
        ("of another invoice", "refundRevenue[0].paymentLineItemId", "unknown"),
    ],
)
def test_a_part_that_does_not_fit_is_named_by_its_place(case: str, field: str, code: str) -> None:
    invoice, _ = a_paid_invoice("PAD"), an_invoice("PAD")
    with refused(RefundPartsUnfit) as refusal:
        request_refund(invoice.pk, unfit(invoice, case), reason="Not wanted", actor=CLIENT, at=AT)
    assert [(error.field, error.code) for error in refusal.value.errors] == [(field, code)]


def test_every_part_that_does_not_fit_is_named_at_once() -> None:
    invoice = a_paid_invoice("PAD")
    with refused(RefundPartsUnfit) as refusal:
        refund(invoice, a_part(invoice, "30.01"), a_part(invoice, "1.51", FeeType.SERVICE_FEES))
    assert [error.field for error in refusal.value.errors] == [
        "refundRevenue[0].refundAmount",
        "refundRevenue[1].refundAmount",
    ]


def test_nothing_is_left_once_all_of_it_is_given_back_or_under_way() -> None:
    invoice = a_paid_invoice("EJV")
    refund(invoice)
    with refused(NothingLeftToRefund):
        refund(stored(invoice))
    with refused(NothingLeftToRefund):
        record_manual_refund(invoice.pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


def test_what_cost_nothing_gives_nothing_back() -> None:
    a_priced_filing()
    lines = (FilingLine("OTANN", waive_fees=True),)
    invoice = an_invoice("", account=an_invoice("PAD").account, lines=lines, caller=Caller(is_staff=True))
    assert (invoice.payment_method, stored(invoice).status) == ("NO_FEE", "PAID")
    with refused(RefundNotAllowed):
        refund(stored(invoice))
    with refused(RefundNotAllowed):
        record_manual_refund(invoice.pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


@pytest.mark.parametrize("stage", ["unpaid", "part-paid", "credited"])
def test_only_what_is_paid_was_given_back_outside(stage: str) -> None:
    invoice = an_invoice("PAD")
    if stage == "part-paid":
        settle(invoice.pk, evidence_of(invoice, amount="10"), actor=STAFF, at=AT)
    if stage == "credited":
        schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
        refund(invoice)
    error = NothingLeftToRefund if stage == "credited" else RefundNotAllowed
    with refused(error):
        record_manual_refund(invoice.pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


def test_a_confirmation_is_bound_to_what_was_shown() -> None:
    invoice = a_paid_invoice("PAD")
    shown = plan_refund(invoice, None)
    assert plan_refund(stored(invoice), None).fingerprint == shown.fingerprint
    refund(invoice, a_part(invoice, "1"))

    with refused(RefundPlanChanged):
        request_refund(invoice.pk, None, reason="Not wanted", expects=shown.fingerprint, actor=CLIENT, at=AT)

    now = plan_refund(stored(invoice), None)
    assert (now.fingerprint != shown.fingerprint, now.amount) == (True, Decimal("32.08"))
    asked = request_refund(invoice.pk, None, reason="Not wanted", expects=now.fingerprint, actor=CLIENT, at=AT)
    assert asked.status == "PROCESSED"
