"""An order is taken as it is quoted and keeps what it was made of for ever; one that cannot be taken leaves nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from accounts.models import AccountFee
from accounts.operations import lock_by_hand
from catalogue.models import GLCode
from catalogue.quote import Caller, FilingLine
from invoices.methods import UnknownMethod
from invoices.models import Invoice, Receipt
from invoices.operations.creating import (
    AccountMayNotOrder,
    BusinessKeyDiffers,
    Created,
    MethodNotForProduct,
    NewInvoice,
    NothingOrdered,
    create_invoice,
)
from invoices.states import FeeType
from tests.catalogue.priced import a_fee
from tests.invoices.billed import AT, CLIENT, STAFF, a_payer, a_priced_filing, a_product, an_invoice, stored
from tests.invoices.traces import everything, refused

pytestmark = pytest.mark.django_db(transaction=True)
STAFF_CALLER = Caller(is_staff=True)


@pytest.mark.parametrize("method", ["CASH", "pad", "ROUTING_SLIP"])
def test_a_method_that_nobody_knows_is_refused(method: str) -> None:
    a_priced_filing()
    account = a_payer("PAD")
    with refused(UnknownMethod):
        an_invoice(method, account=account)


def test_a_method_that_the_product_does_not_have_is_refused_and_those_it_has_are_named() -> None:
    a_product(payment_methods=["PAD", "EFT"])
    a_priced_filing()
    account = a_payer("EJV")
    with refused(MethodNotForProduct) as refusal:
        an_invoice("EJV", account=account)
    assert "CP is paid by PAD, EFT, not by EJV." in refusal.value.detail


def test_what_costs_something_is_not_settled_for_nothing() -> None:
    a_priced_filing()
    account = a_payer("PAD")
    with refused(MethodNotForProduct):
        an_invoice("NO_FEE", account=account)


def test_an_order_of_nothing_is_refused() -> None:
    a_priced_filing()
    account = a_payer("PAD")
    with refused(NothingOrdered):
        an_invoice("PAD", account=account, lines=())


@pytest.mark.parametrize(("kind", "code"), [("NSF", "PAD_CURRENTLY_NSF"), ("OVERDUE_EFT", "EFT_INVOICES_OVERDUE")])
@pytest.mark.parametrize("method", ["PAD", "EFT", "EJV", "DIRECT_PAY", "DRAWDOWN", "ONLINE_BANKING"])
def test_a_locked_account_orders_by_no_method_but_what_pays_it_off(kind: str, code: str, method: str) -> None:
    a_priced_filing()
    account = a_payer(method)
    lock_by_hand(account.pk, kind=kind, cause="Bounced", actor=STAFF, at=AT)
    with refused(AccountMayNotOrder) as refusal:
        an_invoice(method, account=account)
    assert code in [gate["code"] for gate in refusal.value.context["gates"]]

    # Staff order all the same (domain.md 2.2), and the card for a ledger invoice pays it off.
    by_staff = an_invoice("INTERNAL", account=account, caller=STAFF_CALLER)
    assert (stored(by_staff).status, an_invoice("CC", account=account).status) == ("PAID", "CREATED")


def order(key: str = "K-1", **changes: object) -> Created:
    account = a_payer("PAD") if not Invoice.objects.exists() else Invoice.objects.earliest("pk").account
    content = {"account": account, "product": "CP", "lines": (FilingLine("OTANN"),), "business_key": key, **changes}
    return create_invoice(NewInvoice(**content), caller=Caller(), actor=CLIENT, at=AT)  # type: ignore[arg-type]


def test_the_same_business_key_is_the_same_invoice_and_another_content_a_conflict() -> None:
    a_priced_filing()
    first = order()
    before = everything()

    again = order()

    assert (first.is_new, again.is_new, again.invoice.pk) == (True, False, first.invoice.pk)
    assert everything() == before
    with refused(BusinessKeyDiffers) as refusal:
        order(lines=(FilingLine("OTANN", priority=True),))
    assert refusal.value.context["ids"] == [first.invoice.pk]
    assert order("K-2").is_new


def test_codes_and_amounts_stay_as_they_were_on_the_day() -> None:
    invoice = an_invoice("PAD")
    line = invoice.lines.get()
    frozen = (line.fee_gl, line.service_fee_gl, line.statutory_gst_gl, line.service_gst_gl)
    assert frozen == (
        "112.32363.34725.4375.3200000.000000.0000",
        "112.32363.34726.4375.3200000.000000.0000",
        "112.32363.34725.4375.3200000.000000.0000",
        "112.32363.34726.4375.3200000.000000.0000",
    )

    GLCode.objects.update(client="113", stob="9999")

    line.refresh_from_db()
    assert (line.fee_gl, line.service_fee_gl, line.statutory_gst_gl, line.service_gst_gl) == frozen


def test_the_worked_example_is_invoiced_as_it_is_quoted() -> None:
    lines = (FilingLine("OTANN", quantity=2, priority=True), FilingLine("OTANN"))
    invoice = an_invoice("PAD", lines=lines)
    first, second = invoice.lines.order_by("pk")
    # One service fee an invoice: on its first line.
    assert (first.total, first.statutory_gst, first.service_fees, first.service_gst) == (
        Decimal("160.00"),
        Decimal("8.00"),
        Decimal("1.50"),
        Decimal("0.08"),
    )
    assert (second.total, second.service_fees, second.service_gst) == (Decimal("30.00"), Decimal(0), Decimal(0))
    assert (invoice.total, invoice.service_fees, invoice.gst) == (Decimal("201.08"), Decimal("1.50"), Decimal("9.58"))
    assert first.fee(FeeType.PRIORITY_FEES) == Decimal("100.00")


def test_an_account_s_own_terms_are_charged() -> None:
    a_priced_filing()
    account = a_payer("PAD")
    AccountFee.objects.create(
        account=account, product_id="CP", applies_filing_fees=False, service_fee_code=a_fee("TRF02", "1.00")
    )
    invoice = an_invoice("PAD", account=account)
    assert (invoice.total, invoice.service_fees) == (Decimal("1.05"), Decimal("1.00"))


def test_an_order_is_priced_on_the_day_that_it_names_and_dated_by_the_day_on_which_it_is_made() -> None:
    a_priced_filing(ends_on=date(2026, 10, 31))
    a_priced_filing(starts_on=date(2026, 11, 1), fee_code=a_fee("EN105", "100.00"))
    account = a_payer("EJV")

    old = an_invoice("EJV", account=account, priced_on=date(2026, 10, 31))
    new = an_invoice("EJV", account=account)

    assert [invoice.lines.get().base_fees for invoice in (old, new)] == [Decimal("30.00"), Decimal("100.00")]
    assert old.created_at == new.created_at == AT
    assert old.overdue_date == new.overdue_date


@pytest.mark.parametrize("method", ["INTERNAL", "EJV"])
def test_what_is_settled_at_once_has_its_receipt_under_its_own_number(method: str) -> None:
    a_priced_filing()
    account = a_payer(method, billable=False) if method == "EJV" else a_payer(method)
    invoice = an_invoice(method, account=account, caller=STAFF_CALLER)

    receipt = Receipt.objects.get()

    assert (stored(invoice).status, stored(invoice).payment_date) == ("PAID", AT)
    assert (receipt.receipt_number, receipt.source, receipt.amount) == (
        f"REGT{invoice.pk:08d}",
        "internal",
        invoice.total,
    )


def test_what_costs_nothing_is_settled_by_a_receipt_of_nothing() -> None:
    a_priced_filing()
    lines = (FilingLine("OTANN", waive_fees=True),)
    invoice = an_invoice("", account=a_payer("PAD"), lines=lines, caller=STAFF_CALLER)
    assert (stored(invoice).payment_method, stored(invoice).status, stored(invoice).total) == ("NO_FEE", "PAID", 0)
    assert [(receipt.amount, receipt.excess) for receipt in Receipt.objects.all()] == [(0, 0)]
    line = invoice.lines.get()
    assert (line.waived_fees, line.waived_by, line.gl_code_id) == (Decimal("30.00"), CLIENT.name, None)
