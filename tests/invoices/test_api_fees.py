"""Prices and quotes over the API: what is quoted is what is invoiced, and nothing is ordered by asking."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccountFee
from accounts.scopes import FEES_EXCLUDE_SERVICE, FEES_WAIVE
from catalogue.models import FeeSchedule, Product
from invoices.models import Invoice
from kernel.calendar import business_date
from tests.catalogue.priced import a_fee
from tests.invoices.billed import a_payer, a_priced_filing
from tests.invoices.budgets import queries_of
from tests.invoices.partners import INVOICES, PARTNER_SCOPES, Partner, an_order, answered, refused

pytestmark = pytest.mark.django_db(transaction=True)
FEES = "/api/v1/fees"
ONE = f"{FEES}/CP/OTANN"
QUOTE = f"{FEES}/quote"


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def nobodys(query: dict[str, Any] | None = None) -> HttpResponse:
    """The price list as somebody without a key gets it."""
    response: HttpResponse = APIClient().get(FEES, query or {})
    return response


def asked_for(*lines: dict[str, Any], account: str = "", **filing: Any) -> dict[str, Any]:
    """The body of a quote of these lines of CP."""
    body: dict[str, Any] = {"businessInfo": {"corpType": "CP"}, "filingInfo": {"filingTypes": list(lines), **filing}}
    if account:
        body["accountInfo"] = {"accountNumber": account}
    return body


def a_line(**changes: Any) -> dict[str, Any]:
    return {"filingTypeCode": "OTANN", **changes}


def test_the_price_list_is_open_to_everybody_and_may_be_kept_for_five_minutes() -> None:
    a_priced_filing()
    a_priced_filing("OTADD", "BC", statutory_gst=False, service_fee_code=None, priority_fee_code=None, variable=True)
    a_priced_filing("SECRET", on_price_list=False)
    response = nobodys()
    listed = answered(response)
    assert response["Cache-Control"] == "public, max-age=300"
    assert (listed["date"], listed["currency"]) == (business_date(timezone.now()).isoformat(), "CAD")
    assert listed["items"] == [
        {
            "product": "BC",
            "filingTypeCode": "OTADD",
            "filingType": "Filing OTADD",
            "filingFees": "30.00",
            "priorityFees": "0.00",
            "futureEffectiveFees": "50.00",
            "serviceFees": "0.00",
            "isVariable": True,
            "gstOnFees": False,
            "gstOnServiceFees": True,
        },
        {
            "product": "CP",
            "filingTypeCode": "OTANN",
            "filingType": "Filing OTANN",
            "filingFees": "30.00",
            "priorityFees": "100.00",
            "futureEffectiveFees": "50.00",
            "serviceFees": "1.50",
            "isVariable": False,
            "gstOnFees": True,
            "gstOnServiceFees": True,
        },
    ]
    assert [item["product"] for item in answered(nobodys({"product": "CP"}))["items"]] == ["CP"]
    assert answered(nobodys({"product": "cp"}))["items"] == []
    assert refused(nobodys({"colour": "red"})) == [("colour", "unknown")]


def test_the_price_list_has_the_prices_of_today_and_costs_one_query_however_long_it_is() -> None:
    schedule = a_priced_filing()
    today = business_date(timezone.now())
    FeeSchedule.objects.filter(pk=schedule.pk).update(ends_on=today - timedelta(days=1))
    for number in range(5):
        a_priced_filing(f"FT{number}")
    listed = answered(nobodys())
    assert [item["filingTypeCode"] for item in listed["items"]] == [f"FT{number}" for number in range(5)]
    assert queries_of(nobodys) == 1


def test_one_filing_is_quoted_to_the_cent_with_all_that_is_in_it(partner: Partner) -> None:
    found = answered(partner.get(ONE, {"quantity": 2, "priority": "true", "futureEffective": "true"}))
    assert found == {
        "filingTypeCode": "OTANN",
        "filingType": "Filing OTANN",
        "product": "CP",
        "quantity": 2,
        "filingFees": "60.00",
        "priorityFees": "100.00",
        "futureEffectiveFees": "50.00",
        "serviceFees": "1.50",
        "waivedFees": "0.00",
        "tax": {"gst": "10.58", "filingFeeGst": "10.50", "serviceFeeGst": "0.08", "pst": "0.00"},
        "total": "222.08",
        "currency": "CAD",
        "date": business_date(timezone.now()).isoformat(),
    }
    assert answered(partner.get(ONE))["total"] == "33.08"


def test_what_several_filings_are_quoted_at_is_what_their_invoice_comes_to(partner: Partner) -> None:
    a_payer("PAD")
    lines = [a_line(quantity=2, priority=True), a_line(futureEffective=True), a_line(filingDescription="The third")]
    quoted = answered(partner.post(QUOTE, asked_for(*lines, account="A-PAD")))
    created = answered(partner.post(INVOICES, an_order("A-PAD", *lines)), 201)

    assert quoted["total"] == created["money"]["total"] == "285.08"
    assert quoted["serviceFees"] == created["serviceFees"] == "1.50"
    assert quoted["tax"]["gst"] == created["gst"] == "13.58"
    assert (quoted["filingFees"], quoted["priorityFees"], quoted["futureEffectiveFees"]) == (
        "120.00",
        "100.00",
        "50.00",
    )
    assert quoted["tax"] == {"gst": "13.58", "filingFeeGst": "13.50", "serviceFeeGst": "0.08", "pst": "0.00"}
    for line, invoiced in zip(quoted["lines"], created["lines"], strict=True):
        for member in ("filingFees", "priorityFees", "futureEffectiveFees", "serviceFees", "quantity", "waivedFees"):
            assert line[member] == invoiced[member], member
        assert line["tax"]["filingFeeGst"] == invoiced["statutoryFeesGst"]
        assert line["tax"]["serviceFeeGst"] == invoiced["serviceFeesGst"]
    assert [line["serviceFees"] for line in quoted["lines"]] == ["1.50", "0.00", "0.00"]
    assert [line["filingType"] for line in quoted["lines"]] == ["Filing OTANN", "Filing OTANN", "The third"]


def test_an_account_s_own_terms_are_quoted_and_invoiced_however_it_is_named(partner: Partner) -> None:
    account = a_payer("PAD")
    AccountFee.objects.create(
        account=account,
        product=Product.objects.get(pk="CP"),
        applies_filing_fees=False,
        service_fee_code=a_fee("TRF02", "1.00"),
    )
    # The filing is spared, the service fee is another: 1.00 and 0.05 GST on it.
    assert answered(partner.get(ONE, {"accountNumber": "A-PAD"}))["total"] == "1.05"
    assert answered(partner.get(ONE, Account_Id="A-PAD"))["total"] == "1.05"
    assert answered(partner.post(QUOTE, asked_for(a_line(), account="A-PAD")))["total"] == "1.05"
    assert answered(partner.post(QUOTE, asked_for(a_line()), Account_Id="A-PAD"))["total"] == "1.05"
    assert answered(partner.post(QUOTE, asked_for(a_line())))["total"] == "33.08"
    assert answered(partner.post(INVOICES, an_order()), 201)["money"]["total"] == "1.05"


def test_waiving_takes_its_scope_and_shows_what_was_waived(partner: Partner) -> None:
    assert refused(partner.get(ONE, {"waiveFees": "true"}), 403) == [("waiveFees", "fee-override-not-allowed")]
    place = "filingInfo.filingTypes[1].waiveFees"
    answer = partner.post(QUOTE, asked_for(a_line(), a_line(waiveFees=True)))
    assert refused(answer, 403) == [(place, "fee-override-not-allowed")]
    assert answered(partner.get(ONE, {"waiveFees": "false"}))["total"] == "33.08"

    ours = Partner("ours", scopes=(*PARTNER_SCOPES, FEES_WAIVE))
    found = answered(ours.get(ONE, {"waiveFees": "true", "priority": "true"}))
    assert (found["total"], found["waivedFees"], found["filingFees"]) == ("0.00", "130.00", "0.00")
    several = answered(ours.post(QUOTE, asked_for(a_line(waiveFees=True), a_line())))
    # The first line is waived whole, so that the second is the first with a service fee.
    assert several["total"] == "33.08"
    assert [line["serviceFees"] for line in several["lines"]] == ["0.00", "1.50"]


def test_a_client_that_leaves_the_service_fee_out_is_quoted_none(partner: Partner) -> None:
    ours = Partner("ours", scopes=(*PARTNER_SCOPES, FEES_EXCLUDE_SERVICE))
    assert answered(ours.get(ONE))["total"] == "31.50"
    assert answered(ours.post(QUOTE, asked_for(a_line())))["serviceFees"] == "0.00"


def test_prices_are_those_of_the_day_that_is_asked_about(partner: Partner) -> None:
    schedule = FeeSchedule.objects.get()
    FeeSchedule.objects.filter(pk=schedule.pk).update(ends_on=date(2026, 3, 31))
    dearer = a_priced_filing(fee_code=a_fee("EN106", "250.00"), starts_on=date(2026, 4, 1))
    assert dearer.pk != schedule.pk
    for day, total in (("2026-03-31", "33.08"), ("2026-04-01", "264.08")):
        quoted = answered(partner.get(ONE, {"date": day}))
        assert (quoted["total"], quoted["date"]) == (total, day)
        several = answered(partner.post(QUOTE, asked_for(a_line(), date=day)))
        assert (several["total"], several["date"]) == (total, day)
    assert refused(partner.get(ONE, {"date": "2019-12-31"})) == [("filing_type", "no-fee-schedule")]
    assert refused(partner.post(QUOTE, asked_for(a_line(), date="2019-12-31"))) == [
        ("filingInfo.filingTypes[0].filingTypeCode", "no-fee-schedule")
    ]


def test_a_variable_price_is_the_caller_s_to_say(partner: Partner) -> None:
    a_priced_filing("OTVAR", variable=True)
    path = f"{FEES}/CP/OTVAR"
    assert answered(partner.get(path, {"fee": "12.34", "quantity": 2}))["filingFees"] == "24.68"
    assert answered(partner.get(path, {"fee": "0"}))["total"] == "0.00"
    assert refused(partner.get(path)) == [("fee", "variable-fee-missing")]
    assert refused(partner.get(path, {"fee": "12.345"})) == [("fee", "too-many-decimals")]
    assert refused(partner.get(ONE, {"fee": "12.34"})) == [("fee", "fee-not-variable")]
    line = a_line(filingTypeCode="OTVAR", fee="12.34")
    assert answered(partner.post(QUOTE, asked_for(line)))["filingFees"] == "12.34"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"quantity": "0"}, "quantity", "min_value"),
        ({"quantity": "1000000"}, "quantity", "max_value"),
        ({"quantity": "two"}, "quantity", "invalid"),
        ({"priority": "yes"}, "priority", "invalid_choice"),
        ({"date": "31-12-2026"}, "date", "invalid"),
        ({"quantity": ["1", "2"]}, "quantity", "repeated"),
        ({"colour": "red"}, "colour", "unknown"),
    ],
)
def test_a_question_that_cannot_be_read_is_named(
    partner: Partner, query: dict[str, Any], field: str, code: str
) -> None:
    assert refused(partner.get(ONE, query)) == [(field, code)]


def test_what_has_no_price_is_refused_by_its_name(partner: Partner) -> None:
    assert refused(partner.get(f"{FEES}/XX/OTANN")) == [("product", "unknown-product")]
    assert refused(partner.get(f"{FEES}/CP/NOPE")) == [("filing_type", "no-fee-schedule")]
    answer = partner.post(QUOTE, asked_for(a_line(), a_line(filingTypeCode="NOPE")))
    assert refused(answer) == [("filingInfo.filingTypes[1].filingTypeCode", "no-fee-schedule")]
    assert answered(partner.get(ONE, {"accountNumber": "A-NONE"}), 404)["code"] == "account-unknown"
    a_payer("PAD")
    differ = partner.get(ONE, {"accountNumber": "A-PAD"}, Account_Id="A-EFT")
    assert refused(differ) == [("accountNumber", "account-numbers-differ")]


def test_a_client_is_quoted_its_own_products_and_accounts_only(partner: Partner) -> None:
    a_payer("PAD")
    a_priced_filing("OTADD", "BC")
    limited = Partner("limited", all_accounts=False, all_products=False, products=[Product.objects.get(pk="BC")])
    assert answered(limited.get(f"{FEES}/BC/OTADD"))["total"] == "33.08"
    assert answered(limited.get(ONE), 403)["code"] == "product-not-permitted"
    assert answered(limited.post(QUOTE, asked_for(a_line())), 403)["code"] == "product-not-permitted"
    answer = limited.get(f"{FEES}/BC/OTADD", {"accountNumber": "A-PAD"})
    assert answered(answer, 404)["code"] == "account-unknown"


def test_a_quote_orders_nothing_and_costs_the_same_however_many_lines_it_has(partner: Partner) -> None:
    few, many = asked_for(a_line()), asked_for(*[a_line()] * 50)
    assert answered(partner.post(QUOTE, many))["serviceFees"] == "1.50"
    assert queries_of(partner.post, QUOTE, few) == queries_of(partner.post, QUOTE, many)
    assert Invoice.objects.count() == 0
