"""Where things are: paths below /api/v1, and absolute addresses of the pages that payers visit."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest

from invoices.paylinks import public_address

BASE = "/api/v1"


def invoice_path(invoice_id: int) -> str:
    return f"{BASE}/invoices/{invoice_id}"


def refund_path(refund_id: int) -> str:
    return f"{BASE}/refunds/{refund_id}"


def account_path(account_number: str) -> str:
    return f"{BASE}/accounts/{quote(account_number, safe='')}"


def return_base(request: HttpRequest) -> str:
    """Below which the card gateway sends payers back."""
    return public_address(request, "/pay/return")
