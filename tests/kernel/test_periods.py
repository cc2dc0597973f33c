from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.periods import DateRange, Month, Period

VANCOUVER = ZoneInfo("America/Vancouver")
days = st.dates(date(1990, 1, 1), date(2100, 12, 31))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))
zones = st.sampled_from([VANCOUVER, ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Auckland")])


@given(instants, zones)
def test_an_instant_is_in_exactly_one_month_of_a_zone(at: datetime, zone: ZoneInfo) -> None:
    month = Month.of(at, zone)
    assert at in month.bounds(zone)
    assert at not in month.next().bounds(zone)
    assert at not in month.previous().bounds(zone)


@given(days)
def test_months_follow_each_other_without_gap_or_overlap(on: date) -> None:
    month = Month.containing(on)
    assert month.bounds(VANCOUVER).end_at == month.next().bounds(VANCOUVER).start_at
    assert not month.bounds(VANCOUVER).overlaps(month.next().bounds(VANCOUVER))
    assert month.next().previous() == month == month.plus(-25).plus(25)
    assert Month.parse(month.label) == month
    assert (month < month.next()) is (month.label < month.next().label) is True


@given(days)
def test_a_day_is_in_its_own_day_week_and_month(on: date) -> None:
    week = DateRange.week(on)
    assert on in DateRange.day(on)
    assert on in week
    assert on in DateRange.month(on)
    assert (len(week), week.start_on.weekday(), week.last_on.weekday()) == (7, 0, 6)
    assert list(week) == [week.start_on + timedelta(days=offset) for offset in range(7)]
    assert week.end_on not in week


@given(days, st.integers(0, 400), st.integers(0, 400))
def test_two_ranges_overlap_when_they_share_a_day(on: date, length: int, offset: int) -> None:
    first = DateRange(on, on + timedelta(days=length))
    second = DateRange(on + timedelta(days=offset), on + timedelta(days=offset + 10))
    assert first.overlaps(second) is second.overlaps(first) is bool(set(first) & set(second))


def test_a_month_in_a_zone_is_bounded_by_utc_instants() -> None:
    november = Month(date(2025, 11, 1)).bounds(VANCOUVER)
    assert november.start_at == datetime(2025, 11, 1, 7, tzinfo=UTC)
    assert november.end_at == datetime(2025, 12, 1, 8, tzinfo=UTC)
    assert (november.start_at.tzinfo, november.end_at.tzinfo) == (UTC, UTC)
    assert november.length == timedelta(days=30, hours=1)


def test_the_last_moment_of_a_month_in_vancouver_is_the_next_month_in_utc() -> None:
    at = datetime(2026, 11, 30, 23, 59, 59, tzinfo=VANCOUVER)
    assert Month.of(at, VANCOUVER).label == "2026_11"
    assert Month.of(at, UTC).label == "2026_12"


def test_months_run_over_the_end_of_a_year() -> None:
    november = Month.parse("2026_11")
    assert [month.label for month in november.ahead(4)] == ["2026_11", "2026_12", "2027_01", "2027_02"]
    assert [str(month) for month in november.until(Month.parse("2027_02"))] == ["2026_11", "2026_12", "2027_01"]
    assert list(november.until(november)) == []


@pytest.mark.parametrize("label", ["2026-11", "2026_13", "2026_00", "26_11", "2026_1", "", "٢٠٢٦_١١", "2026_11_"])
def test_what_is_not_a_label_of_a_month_is_refused(label: str) -> None:
    with pytest.raises(ValueError):
        Month.parse(label)


def test_a_month_is_known_by_its_first_day_only() -> None:
    with pytest.raises(ValueError, match="first day"):
        Month(date(2026, 11, 2))
    with pytest.raises(ValueError, match="first day"):
        Month(datetime(2026, 11, 1, tzinfo=UTC))


def test_a_range_is_half_open_and_says_its_last_day() -> None:
    week = DateRange.through(date(2026, 11, 2), date(2026, 11, 8))
    assert week == DateRange.week(date(2026, 11, 5))
    assert week.last_on == date(2026, 11, 8)
    empty = DateRange(date(2026, 11, 2), date(2026, 11, 2))
    assert (len(empty), bool(empty), list(empty)) == (0, False, [])
    with pytest.raises(ValueError, match="no last day"):
        _ = empty.last_on


def test_a_range_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        DateRange(date(2026, 11, 2), date(2026, 11, 1))
    with pytest.raises(ValueError, match="before it starts"):
        Period(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


def test_instants_and_dates_are_not_mixed_up() -> None:
    with pytest.raises(TypeError):
        DateRange(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    with pytest.raises(ValueError, match="zone"):
        Period(datetime(2026, 11, 1), datetime(2026, 11, 2))
    with pytest.raises(ValueError, match="zone"):
        Month.of(datetime(2026, 11, 1), UTC)


def test_a_period_holds_its_start_and_not_its_end() -> None:
    period = Period(datetime(2026, 11, 1, tzinfo=VANCOUVER), datetime(2026, 11, 2, tzinfo=VANCOUVER))
    assert period.start_at in period
    assert period.end_at not in period
    assert bool(period) is True
    assert bool(Period(period.start_at, period.start_at)) is False


def test_days_can_be_taken_one_by_one() -> None:
    assert list(islice(DateRange.month(date(2028, 2, 9)), 27, None)) == [date(2028, 2, 28), date(2028, 2, 29)]
