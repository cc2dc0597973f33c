"""Addresses that lead nowhere: each is answered by a problem that a program can read, and none breaks anything."""

from __future__ import annotations

import pytest

from tests.invoices.partners import Partner, answered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def partner() -> Partner:
    return Partner()


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "invoices/",
        "invoices/abc",
        "invoices/-1",
        "invoices/1/transactions/not-a-uuid",
        "codes/two%20words",
        "accounts/a/b",
        # No text of the database holds a control character, and asking it for one is an error of its own.
        "accounts/%00",
        "accounts/%00/credits",
        "accounts/a%0Ab",
        "fees/%00/OTANN",
        "fees/CP/%00",
    ],
)
def test_an_address_that_nothing_can_have_is_not_found(partner: Partner, path: str) -> None:
    response = partner.get(f"/api/v1/{path}")
    assert response["Content-Type"] == "application/problem+json"
    assert answered(response, 404)["code"] == "not-found"


@pytest.mark.parametrize("number", ["%F0%9F%98%80", "%25", "x" * 3000, "a%20b", "..%5C"])
def test_a_number_that_no_account_has_is_unknown(partner: Partner, number: str) -> None:
    assert answered(partner.get(f"/api/v1/accounts/{number}"), 404)["code"] == "account-unknown"
    assert answered(partner.get(f"/api/v1/accounts/{number}/credits"), 404)["code"] == "account-unknown"
