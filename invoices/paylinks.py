"""The address of an invoice's own payment page: signed, so that nobody finds another by counting."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest

from kernel.calendar import business_date, business_day_bounds
from kernel.errors import NotFound, Refused

SALT = "invoices.paylinks"
LONGEST_TOKEN = 200


class PayLinkInvalid(NotFound):
    """This payment link is not one of ours."""

    code = "payment-link-invalid"
    title = "Payment link not valid"
    next_step = "Open the link exactly as you got it, or ask who sent it for a new one."


class PayLinkExpired(Refused):
    """This payment link is too old."""

    status = 410
    code = "payment-link-expired"
    title = "Payment link expired"
    next_step = "Ask who sent you the link for a new one."


def public_address(request: HttpRequest, path: str) -> str:
    """The path as an absolute address below PUBLIC_URL, or else below the host that the request named."""
    base: str = settings.PUBLIC_URL or request.build_absolute_uri("/")
    return f"{base.rstrip('/')}/{path.lstrip('/')}"


def pay_address(request: HttpRequest, invoice_id: int, *, at: datetime) -> str:
    """Of the invoice's payment page, for whoever may hand it to the payer."""
    return public_address(request, f"/pay/{token_for(invoice_id, at=at)}")


def token_for(invoice_id: int, *, at: datetime) -> str:
    """Good for PAYMENT_LINK_DAYS; all tokens of one invoice made on one day of the ledger are the same."""
    last_day = business_date(at) + timedelta(days=settings.PAYMENT_LINK_DAYS)
    until = int(business_day_bounds(last_day).end_at.timestamp())
    return Signer(salt=SALT).sign_object({"i": invoice_id, "u": until})


def invoice_id_of(token: str, *, at: datetime) -> int:
    """Which invoice the token is for. Raises PayLinkInvalid and PayLinkExpired."""
    try:
        if len(token) > LONGEST_TOKEN:
            raise PayLinkInvalid
        content = Signer(salt=SALT).unsign_object(token)
        invoice_id, until = int(content["i"]), int(content["u"])
    except (BadSignature, ValueError, TypeError, KeyError):
        raise PayLinkInvalid from None
    if at.timestamp() >= until:
        raise PayLinkExpired
    return invoice_id
