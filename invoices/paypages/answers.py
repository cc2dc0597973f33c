"""How these pages are answered: never kept, never framed, never found by a search engine, and not without end."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from invoices.gateways.errors import GatewayNotConfigured
from invoices.operations.cards import CardAmountDiffers, NoSuchAttempt
from invoices.paylinks import PayLinkExpired, PayLinkInvalid
from kernel.errors import PaymentsiteError, RateLimited, Unavailable
from kernel.ratelimits import RateLimit
from kernel.requests import client_address

VISITS_A_MINUTE = 60
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Robots-Tag": "noindex, nofollow",
}
View = Callable[..., HttpResponse]

# What the payer reads when something does not work: a heading, and what became of their money.
SAID: dict[type[PaymentsiteError], tuple[str, str]] = {
    PayLinkInvalid: (
        "This link does not lead to an invoice",
        "Open it exactly as you got it, to the last letter. Nothing was charged.",
    ),
    PayLinkExpired: (
        "This link has expired",
        "Ask whoever sent it for a new one. Nothing was charged through it.",
    ),
    NoSuchAttempt: (
        "This payment is not known here",
        "Open the payment link again. If you have paid, the payment is found by itself within the hour.",
    ),
    CardAmountDiffers: (
        "The amount does not match",
        "The card was charged another amount than the invoice asks for. Our staff look into it; do not pay again.",
    ),
    GatewayNotConfigured: (
        "Paying by card is not possible at the moment",
        "Nothing was charged. Try again later.",
    ),
    RateLimited: ("Too many visits", "Wait a minute and open the link again. Nothing was charged."),
    Unavailable: (
        "We cannot say yet",
        "The card system does not answer. If you have paid, the payment is found by itself; do not pay again for now.",
    ),
}
ELSE = (
    "We cannot confirm this payment",
    "What came back is not what the card system sends. If you have paid, the "
    "payment is found by itself within the hour; do not pay again for now.",
)


def for_payers(view: View) -> View:
    """Answers errors of the three families as a page, and limits how often one address may ask."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            _limit(request)
            response = view(request, *args, **kwargs)
        except PaymentsiteError as error:
            response = _problem_page(request, error)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    return answered


def _limit(request: HttpRequest) -> None:
    allowance = RateLimit(f"pay:{client_address(request)}", VISITS_A_MINUTE, 60).take()
    if not allowance.allowed:
        raise RateLimited(retry_after_seconds=max(1, allowance.retry_after_seconds))


def _problem_page(request: HttpRequest, error: PaymentsiteError) -> HttpResponse:
    heading, text = next((said for kind, said in SAID.items() if isinstance(error, kind)), ELSE)
    may_look_again = isinstance(error, Unavailable) and request.method == "GET"
    content = {"heading": heading, "text": text, "may_look_again": may_look_again, "code": error.code}
    response = render(request, "invoices/pay/problem.html", content, status=error.status)
    if isinstance(error, Unavailable):
        response["Retry-After"] = str(error.retry_after_seconds)
    return response
