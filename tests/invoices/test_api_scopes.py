"""Every endpoint with every method and every scope: who is let in, and that nobody else is."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import uuid4

import pytest
from django.urls import get_resolver

from accounts import scopes
from accounts.scopes import SCOPES
from tests.invoices.billed import an_invoice
from tests.invoices.partners import Partner, answered

pytestmark = pytest.mark.django_db(transaction=True)
METHODS = ("get", "post", "put", "patch", "delete")
# The scope that each method of each address needs; a method that is not here is not answered.
NEEDED: dict[str, dict[str, str]] = {
    "fees/quote": {"post": scopes.FEES_READ},
    "fees/CP/OTANN": {"get": scopes.FEES_READ},
    "invoices": {"get": scopes.INVOICES_READ, "post": scopes.INVOICES_WRITE},
    "invoices/export": {"get": scopes.INVOICES_READ},
    "invoices/{id}": {
        "get": scopes.INVOICES_READ,
        "patch": scopes.INVOICES_WRITE,
        "delete": scopes.INVOICES_WRITE,
    },
    "invoices/{id}/receipts": {"get": scopes.INVOICES_READ},
    "invoices/{id}/receipt.pdf": {"get": scopes.INVOICES_READ},
    "invoices/{id}/transactions": {"get": scopes.INVOICES_READ, "post": scopes.INVOICES_WRITE},
    "invoices/{id}/transactions/{uuid}": {"get": scopes.INVOICES_READ},
    "invoices/{id}/credits": {"post": scopes.INVOICES_WRITE},
    "invoices/{id}/refunds": {"get": scopes.INVOICES_READ, "post": scopes.REFUNDS_REQUEST},
    "invoices/{id}/refunds/preview": {"post": scopes.REFUNDS_REQUEST},
    "refunds": {"get": scopes.INVOICES_READ},
    "refunds/{id}": {"get": scopes.INVOICES_READ, "patch": scopes.REFUNDS_APPROVE},
    "accounts": {"get": scopes.ACCOUNTS_READ, "post": scopes.ACCOUNTS_WRITE},
    "accounts/A-1": {"get": scopes.ACCOUNTS_READ},
    "accounts/A-1/credits": {"get": scopes.CREDITS_READ},
}
PUBLIC = {"fees": ("get",), "codes/products": ("get",)}
CELLS = list(itertools.product(NEEDED, METHODS))


@pytest.fixture
def partners() -> dict[str, Partner]:
    return {scope: Partner(f"only-{number}", scopes=[scope]) for number, scope in enumerate(SCOPES)}


def test_the_matrix_names_every_address_of_the_api() -> None:
    patterns: list[Any] = get_resolver("invoices.urls").url_patterns
    [api] = [pattern for pattern in patterns if "api/v1" in str(pattern.pattern)]
    assert len(api.url_patterns) == len(NEEDED) + len(PUBLIC)


def test_every_cell_of_scope_address_and_method(partners: dict[str, Partner]) -> None:
    invoice = an_invoice("EFT")
    asserted = 0
    for address, method in CELLS:
        path = f"/api/v1/{address.format(id=invoice.pk, uuid=uuid4())}"
        needed = NEEDED[address].get(method)
        for scope, partner in partners.items():
            status, body = call(partner, method, path)
            cell = (address, method, scope, status, body)
            if needed is None:
                assert status == 405, cell
            elif scope == needed:
                # Let in: what is answered then is about the request itself. The own request is nobody's to approve.
                assert status not in (401, 405), cell
                assert body.get("code") != "scope-missing", cell
            else:
                assert (status, body["code"], body["required_scope"]) == (403, "scope-missing", needed), cell
            asserted += 1
    assert asserted == len(NEEDED) * len(METHODS) * len(SCOPES)


def test_without_a_key_only_prices_and_codes_are_answered() -> None:
    invoice = an_invoice("EFT")
    nobody = Partner("nobody", scopes=[])
    for address, method in CELLS:
        if method in NEEDED[address]:
            status, body = call(nobody, method, f"/api/v1/{address.format(id=invoice.pk, uuid=uuid4())}")
            assert (status, body["code"]) == (401, "api-key-refused"), (address, method)
    for address in PUBLIC:
        answered(nobody.client.get(f"/api/v1/{address}"))
        for method in METHODS[1:]:
            assert getattr(nobody.client, method)(f"/api/v1/{address}").status_code == 405


def call(partner: Partner, method: str, path: str) -> tuple[int, dict[str, Any]]:
    send = getattr(partner.client, method)
    headers = {"Authorization": f"Bearer {partner.key}", "Idempotency-Key": str(uuid4())}
    options: dict[str, Any] = {} if method == "get" else {"data": "{}", "content_type": "application/json"}
    response = send(path, headers=headers, **options)
    is_json = "json" in response.get("Content-Type", "") and not response.streaming
    return response.status_code, response.json() if is_json and response.content.startswith(b"{") else {}
