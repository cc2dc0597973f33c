"""The ledger's calendar: business dates in its zone, and the days on which its banks and offices work.

Closed are Saturdays, Sundays, the statutory days of British Columbia, the days of Canada's government, Easter Monday
and Boxing Day, each where it is observed.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from django.conf import settings

from kernel.periods import DAY, DateRange, Period

SATURDAY = 5
EASTER_MONDAY_AFTER_GOOD_FRIDAY = timedelta(days=3)


def ledger_zone() -> ZoneInfo:
    """The zone of LEDGER_TIME_ZONE."""
    zone: ZoneInfo = settings.LEDGER_ZONE
    return zone


def business_date(at: datetime) -> date:
    """The ledger's calendar date at the instant (aware). It may be a day on which nobody works."""
    if at.tzinfo is None:
        raise ValueError("Only an instant with a zone has a business date.")
    return at.astimezone(ledger_zone()).date()


def business_day_bounds(on: date) -> Period:
    """The ledger's day as instants: 23 or 25 hours long when its clocks change."""
    return DateRange.day(on).bounds(ledger_zone())


def is_business_day(on: date) -> bool:
    return on.weekday() < SATURDAY and on not in holidays_of(on.year)


def holiday_name(on: date) -> str | None:
    """What is observed on the day; None when it is no holiday."""
    return holidays_of(on.year).get(on)


def next_business_day(on: date) -> date:
    """The first business day after the day, which itself never counts."""
    return add_business_days(on, 1)


def previous_business_day(on: date) -> date:
    """The last business day before the day, which itself never counts."""
    return add_business_days(on, -1)


def business_day_from(on: date) -> date:
    """The day itself when it is a business day, else the next one."""
    return on if is_business_day(on) else next_business_day(on)


def add_business_days(on: date, days: int) -> date:
    """So many business days after the day (before it when negative); zero gives the day itself, whatever it is."""
    step = DAY if days > 0 else -DAY
    left = abs(days)
    while left:
        on += step
        left -= is_business_day(on)
    return on


@lru_cache(maxsize=64)
def holidays_of(year: int) -> dict[date, str]:
    """The holidays observed in the year, with their names."""
    canada = holidays.country_holidays("CA", subdiv="BC", years=year, expand=False, categories=("public", "government"))
    named = dict(canada.items())
    good_friday = next(on for on, name in named.items() if "Good Friday" in name)
    named.setdefault(good_friday + EASTER_MONDAY_AFTER_GOOD_FRIDAY, "Easter Monday")
    return named
