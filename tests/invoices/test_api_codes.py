"""The lists of codes: open to everybody, kept for five minutes, and true of what the product itself knows."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from rest_framework.test import APIClient

from catalogue.models import Product
from invoices.api.views.codes import LISTS
from invoices.methods import all_methods
from invoices.states import FeeType, InvoiceStatus
from kernel.restapi.problemkinds import problem_kinds
from tests.invoices.billed import METHODS, a_priced_filing
from tests.invoices.budgets import queries_of
from tests.invoices.partners import Partner, answered, refused

pytestmark = pytest.mark.django_db(transaction=True)
CODES = "/api/v1/codes"


def nobodys(path: str, query: dict[str, Any] | None = None) -> HttpResponse:
    """What somebody without a key gets."""
    response: HttpResponse = APIClient().get(path, query or {})
    return response


def listed(code_type: str) -> dict[str, dict[str, Any]]:
    """The items of the list, by code."""
    answer = answered(nobodys(f"{CODES}/{code_type}"))
    assert answer["type"] == code_type
    found = {item["code"]: item for item in answer["items"]}
    assert len(found) == len(answer["items"])
    return found


@pytest.mark.parametrize("code_type", sorted(LISTS))
def test_every_list_needs_no_key_may_be_kept_and_says_what_each_code_means(code_type: str) -> None:
    a_priced_filing()
    response = nobodys(f"{CODES}/{code_type}")
    assert response["Cache-Control"] == "public, max-age=300"
    items = answered(response)["items"]
    assert items
    assert all(item["code"] and item["description"] for item in items)


def test_the_methods_tell_how_an_invoice_begins_and_what_comes_next() -> None:
    found = listed("payment-methods")
    assert set(found) == {method.code for method in all_methods()}
    assert found["PAD"]["firstStatus"] == "APPROVED"
    assert found["DIRECT_PAY"]["firstStatus"] == "CREATED"
    assert found["DIRECT_PAY"]["nextStep"] == "The payer opens the payment link and pays by card."
    assert found["NO_FEE"]["nextStep"] == "Nothing: it is settled with its making."
    assert found["INTERNAL"]["nextStep"] == "Nothing: it is paid with its making."


def test_the_statuses_and_the_parts_of_a_refund_are_all_there() -> None:
    statuses = listed("invoice-statuses")
    assert set(statuses) == {status.value for status in InvoiceStatus}
    assert statuses["REFUND_REQUESTED"]["nextStep"] == "The outside must confirm that the money went back."
    assert set(listed("refund-types")) == {fee_type.value for fee_type in FeeType}


def test_products_tell_how_they_are_paid_and_whether_they_are_refunded() -> None:
    a_priced_filing()
    Product.objects.create(code="BC", description="Companies", payment_methods=["EFT"], refund_allowed=False)
    Product.objects.filter(code="CP").update(refund_approval=True)
    found = listed("products")
    assert found == {
        "BC": {
            "code": "BC",
            "description": "Companies",
            "paymentMethods": ["EFT"],
            "refundAllowed": False,
            "refundApproval": False,
        },
        "CP": {
            "code": "CP",
            "description": "Product CP",
            "paymentMethods": METHODS,
            "refundAllowed": True,
            "refundApproval": True,
        },
    }
    assert listed("filing-types") == {"OTANN": {"code": "OTANN", "description": "Filing OTANN"}}


def test_every_code_that_a_problem_can_have_is_listed_with_its_status_and_has_a_page() -> None:
    found = listed("errors")
    assert set(found) == set(problem_kinds())
    for code, status in {
        "idempotency-key-reused": 422,
        "refund-not-allowed": 409,
        "account-unknown": 404,
        "prepaid-refused": 422,
        "read-took-too-long": 503,
        "unknown-code-list": 404,
    }.items():
        assert found[code]["status"] == status, code
        assert found[code]["nextStep"], code
        assert code in nobodys(f"/problems/{code}").content.decode()


def test_a_list_that_there_is_not_is_told_with_those_that_there_are() -> None:
    problem = answered(nobodys(f"{CODES}/colours"), 404)
    assert problem["code"] == "unknown-code-list"
    assert all(name in problem["detail"] for name in LISTS)
    assert refused(nobodys(f"{CODES}/products", {"page": "2"})) == [("page", "unknown")]


def test_a_list_costs_one_query_at_the_most_however_long_it_is() -> None:
    for number in range(5):
        a_priced_filing(f"FT{number}", f"P{number}")
    for code_type in LISTS:
        assert queries_of(listed, code_type) <= 1


def test_a_key_is_not_looked_at() -> None:
    partner = Partner("partner", scopes=["payments:read"])
    assert answered(partner.get(f"{CODES}/refund-types"))["type"] == "refund-types"
    partner.key = "ps_wrong"
    assert answered(partner.get(f"{CODES}/refund-types"))["type"] == "refund-types"
