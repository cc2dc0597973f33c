from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.operations import lock_by_hand
from accounts.scopes import FEES_WAIVE
from accounts.states import LockKind
from catalogue.models import Product
from catalogue.quote import FilingLine
from invoices.models import Invoice
from invoices.operations.settling import settle
from tests.invoices.billed import STAFF, a_payer, a_priced_filing, an_invoice, evidence_of
from tests.invoices.partners import INVOICES, PARTNER_SCOPES, Partner, an_order, answered, listed, refused

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 8


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def test_what_is_quoted_is_what_is_invoiced_and_read_and_listed(partner: Partner) -> None:
    a_payer("PAD")
    quoted = answered(partner.get("/api/v1/fees/CP/OTANN", {"accountNumber": "A-PAD"}))
    response = partner.post(INVOICES, an_order())
    created = answered(response, 201)
    assert quoted["total"] == created["money"]["total"] == "33.08"
    assert created["status"] == "APPROVED"
    assert response["Location"] == f"{INVOICES}/{created['id']}"
    assert answered(partner.get(response["Location"])) == created
    [item] = answered(partner.get(INVOICES))["items"]
    assert item.items() <= created.items()
    assert Invoice.objects.count() == 1


def test_an_invoice_tells_all_that_was_sent_and_what_comes_next(partner: Partner) -> None:
    a_payer("DIRECT_PAY")
    lines: list[dict[str, Any]] = [
        {"filingTypeCode": "OTANN", "quantity": 2, "priority": True},
        {"filingTypeCode": "OTANN", "filingDescription": "The second"},
    ]
    order = an_order("A-DIRECT_PAY", *lines, details=[{"label": "Agent", "value": "Å. Ström"}], businessKey="K-1")
    order["accountInfo"] |= {"datNumber": "C-55", "routingSlip": None}
    created = answered(partner.post(INVOICES, order), 201)
    assert created["money"] == {
        "total": "201.08",
        "paid": "0.00",
        "refunded": "0.00",
        "credited": "0.00",
        "manual": "0.00",
        "pending": "0.00",
        "owing": "201.08",
    }
    first, second = created["lines"]
    assert (first["filingFees"], first["priorityFees"], first["total"]) == ("60.00", "100.00", "160.00")
    assert (first["serviceFees"], second["serviceFees"]) == ("1.50", "0.00")
    assert (first["statutoryFeesGst"], first["serviceFeesGst"], first["pst"]) == ("8.00", "0.08", "0.00")
    assert second["description"] == "The second"
    assert first["gl"]["fees"].count(".") == 6
    assert created["details"] == [{"label": "Agent", "value": "Å. Ström"}]
    assert (created["folioNumber"], created["datNumber"], created["filingIdentifier"]) == ("Folio 7", "C-55", "F-1")
    assert [action["name"] for action in created["allowedActions"]] == ["pay", "cancel"]
    assert created["nextStep"] == "The payer opens the payment link and pays by card."
    assert created["links"]["pay"].startswith("http://testserver/pay/")
    assert created["createdBy"] == "partner"


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"businessInfo": None}, [("businessInfo", "null")]),
        ({"businessInfo": {}}, [("businessInfo.corpType", "required")]),
        ({"businessInfo": {"corpType": "XX"}}, [("businessInfo.corpType", "unknown-product")]),
        ({"businessInfo": {"corpType": "CP", "colour": 1}}, [("businessInfo.colour", "unknown")]),
        ({"filingInfo": {}}, [("filingInfo.filingTypes", "required")]),
        ({"filingInfo": {"filingTypes": []}}, [("filingInfo.filingTypes", "min_length")]),
        ({"filingInfo": {"filingTypes": {}}}, [("filingInfo.filingTypes", "not_a_list")]),
        ({"filingInfo": {"filingTypes": ["OTANN"]}}, [("filingInfo.filingTypes[0]", "invalid")]),
        ({"filingInfo": {"filingTypes": [{}]}}, [("filingInfo.filingTypes[0].filingTypeCode", "required")]),
        ({"paymentInfo": {"methodOfPayment": "GOLD"}}, [("paymentInfo.methodOfPayment", "invalid_choice")]),
        ({"details": [{"label": "x"}]}, [("details[0].value", "required")]),
        ({"details": "x"}, [("details", "not_a_list")]),
        ({"businessKey": 7}, [("businessKey", "invalid")]),
        ({"skipPayment": True}, [("skipPayment", "unknown")]),
        ({"accountInfo": {"accountNumber": ""}}, [("accountInfo.accountNumber", "required")]),
    ],
)
def test_what_is_wrong_is_named_by_its_path_and_nothing_is_ordered(
    partner: Partner, change: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    a_payer("PAD")
    assert refused(partner.post(INVOICES, an_order() | change)) == errors
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize(
    ("line", "member", "code"),
    [
        ({"quantity": 0}, "quantity", "min_value"),
        ({"quantity": 1_000_000}, "quantity", "max_value"),
        ({"quantity": 10**80}, "quantity", "max_value"),
        ({"quantity": "2"}, "quantity", "invalid"),
        ({"quantity": True}, "quantity", "invalid"),
        ({"quantity": 1.5}, "quantity", "invalid"),
        ({"quantity": None}, "quantity", "null"),
        ({"priority": "true"}, "priority", "invalid"),
        ({"priority": 1}, "priority", "invalid"),
        ({"fee": "12.505"}, "fee", "too-many-decimals"),
        ({"fee": "-1"}, "fee", "not-positive"),
        ({"fee": "NaN"}, "fee", "not-finite"),
        ({"fee": "1e999999"}, "fee", "too-large"),
        ({"fee": True}, "fee", "not-a-number"),
        ({"fee": [1]}, "fee", "not-a-number"),
        ({"fee": "5.00"}, "fee", "fee-not-variable"),
        ({"filingTypeCode": "NOPE"}, "filingTypeCode", "no-fee-schedule"),
        ({"filingTypeCode": "x" * 11}, "filingTypeCode", "max_length"),
        ({"filingTypeCode": 5}, "filingTypeCode", "invalid"),
        ({"filingDescription": "x" * 201}, "filingDescription", "max_length"),
        ({"surprise": 1}, "surprise", "unknown"),
    ],
)
def test_what_is_wrong_with_the_third_line_is_named_there(
    partner: Partner, line: dict[str, Any], member: str, code: str
) -> None:
    a_payer("PAD")
    good = {"filingTypeCode": "OTANN"}
    answer = partner.post(INVOICES, an_order("A-PAD", good, good, good | line))
    assert refused(answer) == [(f"filingInfo.filingTypes[2].{member}", code)]
    assert Invoice.objects.count() == 0


def test_waiving_takes_its_scope(partner: Partner) -> None:
    a_payer("PAD")
    order = an_order("A-PAD", {"filingTypeCode": "OTANN", "waiveFees": True})
    refusal = partner.post(INVOICES, order)
    assert refused(refusal, 403) == [("filingInfo.filingTypes[0].waiveFees", "fee-override-not-allowed")]
    assert Invoice.objects.count() == 0
    ours = Partner("ours", scopes=(*PARTNER_SCOPES, FEES_WAIVE))
    created = answered(ours.post(INVOICES, order), 201)
    assert (created["status"], created["paymentMethod"], created["money"]["total"]) == ("PAID", "NO_FEE", "0.00")
    assert created["lines"][0]["waivedFees"] == "30.00"


@pytest.mark.parametrize("method", ["INTERNAL", "CC"])
def test_a_partner_cannot_name_a_method_that_asks_nobody_for_money(partner: Partner, method: str) -> None:
    a_payer("PAD")
    answer = partner.post(INVOICES, an_order(paymentInfo={"methodOfPayment": method}))
    assert refused(answer, 403) == [("paymentInfo.methodOfPayment", "method-not-for-partners")]
    assert Invoice.objects.count() == 0


def test_a_locked_account_hears_every_reason(partner: Partner) -> None:
    account = a_payer("PAD")
    lock_by_hand(account.pk, kind=LockKind.NSF, cause="Bounced", actor=STAFF, at=datetime.now(UTC))
    problem = answered(partner.post(INVOICES, an_order()), 422)
    assert (problem["code"], problem["account"]) == ("account-may-not-order", "A-PAD")
    assert [gate["code"] for gate in problem["gates"]] == ["PAD_CURRENTLY_NSF"]
    assert problem["gates"][0]["next_step"]
    assert Invoice.objects.count() == 0


def test_the_account_may_be_named_by_the_header_but_not_twice_differently(partner: Partner) -> None:
    a_payer("PAD")
    a_payer("EFT")
    order = an_order() | {"accountInfo": {}}
    created = answered(partner.post(INVOICES, order, Account_Id="A-EFT"), 201)
    assert created["accountNumber"] == "A-EFT"
    answer = partner.post(INVOICES, an_order("A-PAD"), Account_Id="A-EFT")
    assert refused(answer) == [("accountInfo.accountNumber", "account-numbers-differ")]
    assert Invoice.objects.count() == 1


def test_prices_are_those_of_the_day_that_the_order_names(partner: Partner) -> None:
    a_payer("PAD")
    order = an_order()
    order["filingInfo"]["date"] = "2019-12-31"
    answer = partner.post(INVOICES, order)
    assert refused(answer) == [("filingInfo.filingTypes[0].filingTypeCode", "no-fee-schedule")]
    order["filingInfo"]["date"] = "2020-01-01"
    assert answered(partner.post(INVOICES, order), 201)["money"]["total"] == "33.08"


def test_the_same_business_key_is_the_same_invoice(partner: Partner) -> None:
    a_payer("PAD")
    order = an_order(businessKey="filing 7")
    first = answered(partner.post(INVOICES, order), 201)
    again = answered(partner.post(INVOICES, order), 200)
    assert again["id"] == first["id"]
    other = an_order("A-PAD", {"filingTypeCode": "OTANN", "quantity": 2}, businessKey="filing 7")
    problem = answered(partner.post(INVOICES, other), 409)
    assert (problem["code"], problem["ids"]) == ("business-key-differs", [first["id"]])
    assert Invoice.objects.count() == 1


def test_others_invoices_accounts_and_products_do_not_exist(partner: Partner) -> None:
    mine, theirs = an_invoice("PAD"), an_invoice("EFT")
    limited = Partner("limited", all_accounts=False, accounts=[mine.account])
    assert listed(limited) == [mine.pk]
    assert answered(limited.get(f"{INVOICES}/{mine.pk}"))["id"] == mine.pk
    for call in (
        limited.get(f"{INVOICES}/{theirs.pk}"),
        limited.delete(f"{INVOICES}/{theirs.pk}"),
        limited.patch(f"{INVOICES}/{theirs.pk}", {"paymentInfo": {"methodOfPayment": "CC"}}),
        limited.get(f"{INVOICES}/{theirs.pk}/receipts"),
        limited.get(f"{INVOICES}/{theirs.pk}/receipt.pdf"),
        limited.get(f"{INVOICES}/{theirs.pk}/refunds"),
        limited.post(f"{INVOICES}/{theirs.pk}/refunds", {"reason": "x"}),
        limited.post(f"{INVOICES}/{theirs.pk}/refunds/preview"),
        limited.post(f"{INVOICES}/{theirs.pk}/credits"),
        limited.post(f"{INVOICES}/{theirs.pk}/transactions", {"clientSystemUrl": "https://a.example"}),
    ):
        assert answered(call, 404)["code"] == "invoice-not-found"
    assert answered(limited.get("/api/v1/accounts/A-EFT"), 404)["code"] == "account-unknown"
    assert answered(limited.get("/api/v1/accounts/A-EFT/credits"), 404)["code"] == "account-unknown"
    assert answered(limited.get(INVOICES, {"accountNumber": "A-EFT"}), 404)["code"] == "account-unknown"
    assert answered(limited.post(INVOICES, an_order("A-EFT")), 404)["code"] == "account-unknown"
    theirs.refresh_from_db()
    assert theirs.status == "APPROVED"
    a_priced_filing("OTADD", "BC")
    of_bc = Partner("of-bc", all_products=False, products=[Product.objects.get(pk="BC")])
    assert listed(of_bc) == []
    assert answered(of_bc.get(f"{INVOICES}/{mine.pk}"), 404)["code"] == "invoice-not-found"
    assert answered(of_bc.post(INVOICES, an_order()), 403)["code"] == "product-not-permitted"
    assert Invoice.objects.count() == 2


def test_an_unpaid_invoice_is_cancelled_once(partner: Partner) -> None:
    invoice = an_invoice("PAD")
    first = answered(partner.delete(f"{INVOICES}/{invoice.pk}"), 202)
    assert (first["status"], first["money"]["owing"], first["allowedActions"]) == ("CANCELLED", "0.00", [])
    assert answered(partner.delete(f"{INVOICES}/{invoice.pk}"), 202) == first
    paid = an_invoice("EFT")
    settle(paid.pk, evidence_of(paid), actor=STAFF, at=datetime.now(UTC))
    assert answered(partner.delete(f"{INVOICES}/{paid.pk}"), 409)["code"] == "invoice-cannot-be-cancelled"
    paid.refresh_from_db()
    assert paid.status == "PAID"


def test_an_online_banking_invoice_is_paid_by_card_instead(partner: Partner) -> None:
    invoice = an_invoice("ONLINE_BANKING")
    path = f"{INVOICES}/{invoice.pk}"
    assert "changeMethod" in [action["name"] for action in answered(partner.get(path))["allowedActions"]]
    changed = answered(partner.patch(path, {"paymentInfo": {"methodOfPayment": "DIRECT_PAY"}}))
    assert (changed["paymentMethod"], changed["status"]) == ("DIRECT_PAY", "CREATED")
    assert changed["links"]["pay"]
    assert answered(partner.patch(path, {"paymentInfo": {"methodOfPayment": "DIRECT_PAY"}})) == changed
    assert refused(partner.patch(path, {"paymentInfo": {"methodOfPayment": "PAD"}})) == [
        ("paymentInfo.methodOfPayment", "invalid_choice")
    ]
    debit = an_invoice("PAD")
    answer = partner.patch(f"{INVOICES}/{debit.pk}", {"paymentInfo": {"methodOfPayment": "DIRECT_PAY"}})
    assert answered(answer, 409)["code"] == "method-cannot-be-changed"


def test_one_invoice_costs_few_queries_however_much_belongs_to_it(partner: Partner) -> None:
    invoice = an_invoice("PAD", lines=tuple(FilingLine("OTANN") for _ in range(20)))
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=datetime.now(UTC))
    for number in range(3):
        line = invoice.lines.order_by("pk")[number]
        part = {"paymentLineItemId": line.pk, "refundType": "BASE_FEES", "refundAmount": "1.00"}
        body = {"reason": "Test", "refundRevenue": [part]}
        answered(partner.post(f"{INVOICES}/{invoice.pk}/refunds", body), 202)
    with CaptureQueriesContext(connection) as queries:
        found = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (len(found["lines"]), len(found["refunds"])) == (20, 3)
    assert found["statusDisplay"] == "PARTIALLY_CREDITED"
    assert len(queries) <= MOST_QUERIES, [query["sql"] for query in queries]


def test_a_path_that_no_invoice_can_have_is_not_found(partner: Partner) -> None:
    for number in ("0", "9" * 18, "9" * 30):
        assert answered(partner.get(f"{INVOICES}/{number}"), 404)["code"] == "invoice-not-found"
        assert answered(partner.delete(f"{INVOICES}/{number}"), 404)["code"] == "invoice-not-found"


@pytest.mark.parametrize("body", ["", "[]", "nonsense", '{"a": NaN}', '{"a": 1, "a": 2}', '"x"'])
def test_a_body_that_is_no_object_is_refused(partner: Partner, body: str) -> None:
    response = partner.post(INVOICES, body)
    assert response.status_code in (400, 422)
    assert json.loads(response.content)["code"] in ("json-invalid", "invalid", "malformed")
    assert Invoice.objects.count() == 0
