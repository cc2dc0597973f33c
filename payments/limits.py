"""The limits that a payment notice is held against, from the settings."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from payments.notices import NoticeLimits


def notice_limits(at: datetime, *, currency: str | None = None) -> NoticeLimits:
    """The window of payment dates around `at`; currency is what is meant when a notice names none."""
    return NoticeLimits(
        at=at,
        max_age=timedelta(days=settings.PAYMENT_MAX_AGE_YEARS * 365.25),
        max_future=timedelta(hours=settings.PAYMENT_MAX_FUTURE_HOURS),
        default_currency=currency or settings.LEDGER_CURRENCY,
    )
