from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.calendar import (
    add_business_days,
    business_date,
    business_day_bounds,
    business_day_from,
    holiday_name,
    is_business_day,
    next_business_day,
    previous_business_day,
)

days = st.dates(date(2015, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("on", "name"),
    [
        (date(2026, 1, 1), "New Year's Day"),
        (date(2026, 2, 16), "Family Day"),
        (date(2026, 4, 3), "Good Friday"),
        (date(2026, 4, 6), "Easter Monday"),
        (date(2026, 5, 18), "Victoria Day"),
        (date(2026, 7, 1), "Canada Day"),
        (date(2026, 8, 3), "British Columbia Day"),
        (date(2026, 9, 30), "National Day for Truth and Reconciliation"),
        (date(2026, 10, 12), "Thanksgiving Day"),
        (date(2026, 11, 11), "Remembrance Day"),
        (date(2026, 12, 25), "Christmas Day"),
        (date(2026, 12, 28), "Boxing Day (observed)"),
        (date(2027, 3, 29), "Easter Monday"),
        (date(2027, 12, 27), "Christmas Day (observed)"),
        (date(2027, 12, 28), "Boxing Day (observed)"),
    ],
)
def test_a_holiday_is_no_business_day(on: date, name: str) -> None:
    assert holiday_name(on) == name
    assert not is_business_day(on)


def test_an_ordinary_weekday_is_a_business_day_and_a_weekend_is_not() -> None:
    assert holiday_name(date(2026, 11, 5)) is None
    assert is_business_day(date(2026, 11, 5))
    assert not is_business_day(date(2026, 11, 7))
    assert not is_business_day(date(2026, 11, 8))


@pytest.mark.parametrize(
    ("at", "on"),
    [
        # Summer: seven hours behind UTC.
        (datetime(2026, 7, 15, 6, 59, 59, tzinfo=UTC), date(2026, 7, 14)),
        (datetime(2026, 7, 15, 7, 0, 0, tzinfo=UTC), date(2026, 7, 15)),
        # The day of the spring change (8 March 2026) begins eight hours behind.
        (datetime(2026, 3, 8, 7, 59, 59, tzinfo=UTC), date(2026, 3, 7)),
        (datetime(2026, 3, 8, 8, 0, 0, tzinfo=UTC), date(2026, 3, 8)),
        (datetime(2026, 3, 9, 6, 59, 59, tzinfo=UTC), date(2026, 3, 8)),
        (datetime(2026, 3, 9, 7, 0, 0, tzinfo=UTC), date(2026, 3, 9)),
    ],
)
def test_the_business_date_follows_the_clocks_of_the_ledger(at: datetime, on: date) -> None:
    assert business_date(at) == on
    assert at in business_day_bounds(on)


@pytest.mark.parametrize(
    ("on", "hours"), [(date(2025, 3, 9), 23), (date(2025, 11, 2), 25), (date(2025, 11, 3), 24), (date(2026, 3, 8), 23)]
)
def test_a_day_is_as_long_as_its_clocks_make_it(on: date, hours: int) -> None:
    assert business_day_bounds(on).length == timedelta(hours=hours)


def test_the_pinned_zones_know_that_vancouver_keeps_its_summer_time_from_2026_on() -> None:
    # The zone files of an older operating system still turn the clocks back in November 2026.
    assert business_day_bounds(date(2026, 11, 1)).length == timedelta(hours=24)
    assert business_date(datetime(2026, 12, 1, 7, tzinfo=UTC)) == date(2026, 12, 1)


def test_both_runs_of_the_repeated_hour_are_on_the_same_date() -> None:
    for hour in (8, 9):
        assert business_date(datetime(2025, 11, 2, hour, 30, tzinfo=UTC)) == date(2025, 11, 2)


def test_an_instant_without_zone_has_no_business_date() -> None:
    with pytest.raises(ValueError, match="zone"):
        business_date(datetime(2026, 11, 5, 12))


def test_business_days_jump_over_easter_and_christmas() -> None:
    assert next_business_day(date(2026, 4, 2)) == date(2026, 4, 7)
    assert previous_business_day(date(2026, 4, 7)) == date(2026, 4, 2)
    assert add_business_days(date(2026, 12, 24), 2) == date(2026, 12, 30)
    assert add_business_days(date(2026, 12, 30), -2) == date(2026, 12, 24)


def test_business_days_jump_over_the_new_year() -> None:
    assert next_business_day(date(2026, 12, 31)) == date(2027, 1, 4)
    assert previous_business_day(date(2027, 1, 4)) == date(2026, 12, 31)


def test_zero_business_days_are_the_day_itself() -> None:
    assert add_business_days(date(2026, 11, 7), 0) == date(2026, 11, 7)
    assert business_day_from(date(2026, 11, 7)) == date(2026, 11, 9)
    assert business_day_from(date(2026, 11, 9)) == date(2026, 11, 9)


@given(days, st.integers(1, 40))
def test_counting_forth_and_back_between_business_days_ends_where_it_began(on: date, count: int) -> None:
    start = business_day_from(on)
    there = add_business_days(start, count)
    assert is_business_day(there)
    assert sum(is_business_day(start + timedelta(days=offset)) for offset in range((there - start).days)) == count
    assert add_business_days(there, -count) == start
