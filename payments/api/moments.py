"""Moments and days as the API's query parameters write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kernel.calendar import business_day_bounds

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """What one parameter covers: a day of the ledger, or an instant (PostgreSQL's: one microsecond)."""

    start_at: datetime
    end_at: datetime


@extend_schema_field({"type": "string", "example": "2026-11-01"})
class DayOrMomentField(serializers.Field[Span, str, str, Any]):
    """A day (2026-11-01, in the ledger's zone) or an RFC 3339 moment (2026-11-01T08:00:00Z), as a `Span`."""

    default_error_messages = {
        "invalid": "Write a day such as 2026-11-01, or a moment with its zone such as 2026-11-01T08:00:00Z "
        "(a plus sign is %2B in an address)."
    }

    def to_internal_value(self, data: str) -> Span:
        try:
            span = _span_of(data)
        except (ValueError, OverflowError):
            # A day or an hour that no calendar has, such as 2026-02-30.
            span = None
        if span is None:
            self.fail("invalid")
        return span

    def to_representation(self, value: Span) -> str:
        return value.start_at.astimezone(settings.LEDGER_ZONE).isoformat()


def _span_of(text: str) -> Span | None:
    if DAY.fullmatch(text):
        day = business_day_bounds(date.fromisoformat(text))
        return Span(day.start_at, day.end_at)
    if MOMENT.fullmatch(text):
        at = datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)
        return Span(at, at + INSTANT)
    return None
