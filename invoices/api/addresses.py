"""Where things are: paths below /api/v1, and absolute addresses of the pages that payers visit."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from django.http import HttpRequest

from invoices.paylinks import public_address, token_for

BASE = "/api/v1"


def invoice_path(invoice_id: int) -> str:
    return f"{BASE}/invoices/{invoice_id}"


def refund_path(refund_id: int) -> str:
    return f"{BASE}/refunds/{refund_id}"


def account_path(account_number: str) -> str:
    return f"{BASE}/accounts/{quote(account_number, safe='')}"


def pay_address(request: HttpRequest, invoice_id: int, *, at: datetime) -> str:
    """Of the invoice's payment page."""
    return public_address(request, f"/pay/{token_for(invoice_id, at=at)}")


def return_base(request: HttpRequest) -> str:
    """Below which the card gateway sends payers back."""
    return public_address(request, "/pay/return")
