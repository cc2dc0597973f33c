"""API clients of partners, with real keys, as the tests of the invoice API call with them."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from rest_framework.test import APIClient

from accounts.authentication import recent_keys
from accounts.operations import add_client, issue_key
from accounts.scopes import ACCOUNTS_TERMS, FEES_EXCLUDE_SERVICE, FEES_WAIVE, SCOPES
from kernel.audit.actors import Actor

ACTOR = Actor.system("test")
INVOICES = "/api/v1/invoices"
# What an outside partner gets at the most; the others are for systems of our own.
PARTNER_SCOPES = tuple(sorted(set(SCOPES) - {FEES_WAIVE, FEES_EXCLUDE_SERVICE, ACCOUNTS_TERMS}))


class Partner:
    """One API client that calls with its key; every POST gets an Idempotency-Key of its own unless one is given."""

    def __init__(self, slug: str = "partner", *, scopes: Collection[str] = PARTNER_SCOPES, **reach: Any) -> None:
        at = datetime.now(UTC)
        self.row = add_client(name=slug, slug=slug, actor=ACTOR, at=at, reason="Test")
        reach = {"all_accounts": True, "all_products": True, **reach}
        self.row.accounts.set(reach.pop("accounts", ()))
        self.row.products.set(reach.pop("products", ()))
        type(self.row).objects.filter(pk=self.row.pk).update(**reach)
        recent_keys.clear()
        self.key: str = ""
        if scopes:
            expires_at = at + timedelta(days=30)
            issued = issue_key(
                self.row.pk, scopes=sorted(scopes), expires_at=expires_at, actor=ACTOR, at=at, reason="Test"
            )
            self.key = issued.text.reveal()
        self.client = APIClient()

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> HttpResponse:
        answer: HttpResponse = self.client.get(path, query or {}, headers=self._headers(headers))
        return answer

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> HttpResponse:
        headers = {"Idempotency-Key": key or str(uuid4()), **headers}
        return self._send("post", path, body, headers)

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self._send("patch", path, body, {})

    def delete(self, path: str) -> HttpResponse:
        answer: HttpResponse = self.client.delete(path, headers=self._headers({}))
        return answer

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> HttpResponse:
        text = body if isinstance(body, str) else json.dumps({} if body is None else body)
        call = getattr(self.client, method)
        answer: HttpResponse = call(path, text, content_type="application/json", headers=self._headers(headers))
        return answer

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return {"Authorization": f"Bearer {self.key}", **named}


def an_order(account: str = "A-PAD", *lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body of an order of one filing, or of these."""
    order: dict[str, Any] = {
        "businessInfo": {"businessIdentifier": "BC1234567", "corpType": "CP"},
        "filingInfo": {
            "filingIdentifier": "F-1",
            "folioNumber": "Folio 7",
            "filingTypes": list(lines) or [{"filingTypeCode": "OTANN"}],
        },
        "accountInfo": {"accountNumber": account},
    }
    return order | changes


def answered(response: HttpResponse, status: int = 200) -> dict[str, Any]:
    """The answer's JSON, once it has this status."""
    assert response.status_code == status, response.content.decode()
    found: dict[str, Any] = json.loads(response.content)
    return found


def listed(partner: Partner, **query: Any) -> list[int]:
    """The ids of the first page of invoices, in its order."""
    return [item["id"] for item in answered(partner.get(INVOICES, query))["items"]]


def refused(response: HttpResponse, status: int = 422) -> list[tuple[str, str]]:
    """Field and code of everything that the problem names, once it has this status."""
    assert response["Content-Type"] == "application/problem+json", response.content.decode()
    return [(error["field"], error["code"]) for error in answered(response, status)["errors"]]
