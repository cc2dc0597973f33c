"""What is said to the outside is written down first, in exact cents, and without what the other side adds by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.quote import Caller, FilingLine
from invoices.models import Invoice, OutsideCall
from invoices.operations.callrows import NumberMissing, number_of
from invoices.operations.creating import NewInvoice, PrepaidAccountMissing, create_invoice
from invoices.operations.settling import schedule, settle
from invoices.prepaidpayload import FeeCodeMissing, amount_text
from invoices.states import FeeType
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_paid_invoice,
    a_part,
    a_payer,
    a_priced_filing,
    a_product,
    an_invoice,
    evidence_of,
    refund,
    stored,
)
from tests.invoices.traces import refused

pytestmark = pytest.mark.django_db(transaction=True)


def request_of(invoice: Invoice) -> dict[str, Any]:
    found: dict[str, Any] = OutsideCall.objects.get(invoice=invoice).request
    return found


def test_a_debit_is_written_down_with_all_that_the_mainframe_is_told() -> None:
    lines = (FilingLine("OTANN"), FilingLine("OTANN", priority=True))
    invoice = an_invoice("DRAWDOWN", lines=lines, business_identifier="BC0871234", folio_number="Folio 7")

    assert request_of(invoice) == {
        "key": f"REGT{invoice.pk:08d}",
        "prepaid_user_id": "PB0001",
        "prepaid_account": "180670",
        "amount": "160.00",
        "fee_code": "FULL",
        "remarks": "BC0871234(OTANN,OTANN)-partner",
        "folio": "Folio 7",
        "note": "",
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(cents=st.lists(st.integers(1, 999_999), min_size=1, max_size=3))
def test_the_debit_is_the_fees_alone_to_the_cent_whatever_they_are(cents: list[int]) -> None:
    if not Invoice.objects.exists():
        a_priced_filing(variable=True)
    lines = tuple(FilingLine("OTANN", fee=Decimal(amount).scaleb(-2)) for amount in cents)

    invoice = an_invoice("DRAWDOWN", lines=lines)

    amount = Decimal(request_of(invoice)["amount"])
    assert amount_text(amount) == f"{sum(cents):010d}"
    assert amount == invoice.total - invoice.service_fees - invoice.gst
    assert invoice.service_fees == Decimal("1.50")


@pytest.mark.parametrize(
    ("caller", "code"),
    [
        (Caller(), "FULL"),
        (Caller(is_staff=True), "STAFF"),
        # A system of our own, which leaves our fee out.
        (Caller(excludes_service_fee=True), "STAFF"),
    ],
)
def test_the_fee_code_depends_on_who_orders(caller: Caller, code: str) -> None:
    invoice = an_invoice("DRAWDOWN", caller=caller)
    assert request_of(invoice)["fee_code"] == code
    assert invoice.service_fees == (Decimal("1.50") if code == "FULL" else Decimal("0.00"))


def test_without_its_fee_code_nothing_is_ordered() -> None:
    a_product(prepaid_code_full_fee="")
    a_priced_filing()
    a_payer("DRAWDOWN")
    with refused(FeeCodeMissing):
        an_invoice("DRAWDOWN")


@pytest.mark.parametrize("missing", ["prepaid_user_id", "prepaid_account"])
def test_without_a_prepaid_account_and_its_user_nothing_is_ordered(missing: str) -> None:
    a_priced_filing()
    account = a_payer("DRAWDOWN", **{missing: ""})
    with refused(PrepaidAccountMissing):
        an_invoice("DRAWDOWN", account=account)


def test_an_invoice_is_debited_by_one_call_only() -> None:
    invoice = an_invoice("DRAWDOWN")
    call = OutsideCall.objects.get()
    with pytest.raises(IntegrityError, match="outside_call_one_debit"), transaction.atomic():
        OutsideCall.objects.create(
            kind="PREPAID_DEBIT",
            invoice=invoice,
            status="PENDING",
            status_since=AT,
            request=call.request,
            next_attempt_at=AT,
            created_at=AT,
        )
    assert OutsideCall.objects.count() == 1


def test_a_card_refund_names_the_order_s_own_lines_with_what_goes_back_of_each() -> None:
    lines = (FilingLine("OTANN"), FilingLine("OTANN", priority=True))
    invoice = an_invoice("DIRECT_PAY", lines=lines)
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)

    refund(
        stored(invoice),
        a_part(invoice, "30.00", FeeType.PRIORITY_FEES, line=1),
        a_part(invoice, "10.00", line=1),
        a_part(invoice, "0.50", FeeType.STATUTORY_GST, line=1),
        a_part(invoice, "1.50", FeeType.SERVICE_FEES),
    )

    line = invoice.lines.order_by("pk")[0]
    # The order had 1 fees, 2 their tax, 3 service fee, 4 its tax of the first line, 5 fees and 6 tax of the second.
    assert request_of(invoice)["lines"] == [
        {"number": 3, "gl": line.service_fee_gl, "amount": "1.50"},
        {"number": 5, "gl": line.fee_gl, "amount": "40.00"},
        {"number": 6, "gl": line.statutory_gst_gl, "amount": "0.50"},
    ]
    assert request_of(invoice)["amount"] == "42.00"


def test_refunds_of_other_methods_are_told_to_no_gateway() -> None:
    for method in ("PAD", "EJV", "EFT", "ONLINE_BANKING"):
        refund(a_paid_invoice(method, number=method))
    assert OutsideCall.objects.count() == 0


def test_the_number_is_the_last_one_that_counts() -> None:
    invoice = an_invoice("PAD")
    with pytest.raises(NumberMissing):
        number_of(stored(invoice))
    for number, status in (("L1", "CANCELLED"), ("L2", "COMPLETED"), ("L3", "CANCELLED")):
        schedule(invoice.pk, invoice_number=number, actor=STAFF, at=AT)
        invoice.references.filter(invoice_number=number).update(status=status)

    assert number_of(stored(invoice)) == "L2"
    invoice.references.update(status="CANCELLED")
    assert number_of(stored(invoice)) == "L3"


def test_the_debit_of_an_order_is_not_kept_when_the_order_is_refused() -> None:
    account = a_payer("DRAWDOWN")
    a_priced_filing()
    lines = (FilingLine("OTANN", waive_fees=True, priority=False),)
    new = NewInvoice(account=account, product="CP", method="DRAWDOWN", lines=lines)
    created = create_invoice(new, caller=Caller(is_staff=True), actor=CLIENT, at=AT)
    # What costs nothing is no drawdown, and the mainframe hears nothing of it.
    assert (created.invoice.payment_method, OutsideCall.objects.count()) == ("NO_FEE", 0)
