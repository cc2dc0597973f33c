"""An invoice is overdue from midnight, in the ledger's zone, of the 15th two months on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.duedates import overdue_date_of
from tests.invoices.billed import an_invoice

PACIFIC = ZoneInfo("America/Vancouver")


@pytest.mark.parametrize(
    ("created_on", "overdue"),
    [
        ("2024-01-01", "2024-03-15T07:00:00+00:00"),
        ("2024-01-31", "2024-03-15T07:00:00+00:00"),
        ("2024-09-01", "2024-11-15T08:00:00+00:00"),
        ("2024-10-01", "2024-12-15T08:00:00+00:00"),
        ("2024-11-30", "2025-01-15T08:00:00+00:00"),
        ("2024-12-31", "2025-02-15T08:00:00+00:00"),
        ("2025-12-15", "2026-02-15T08:00:00+00:00"),
    ],
)
def test_the_day_is_the_fifteenth_whatever_the_day_of_making(created_on: str, overdue: str) -> None:
    found = overdue_date_of(date.fromisoformat(created_on), PACIFIC)
    assert found.astimezone(UTC).isoformat() == overdue


@given(st.dates(date(1990, 1, 1), date(2200, 10, 31)), st.sampled_from([PACIFIC, ZoneInfo("Europe/Berlin"), UTC]))
def test_it_is_local_midnight_in_the_second_month_after(created_on: date, zone: ZoneInfo) -> None:
    found = overdue_date_of(created_on, zone)
    local = found.astimezone(zone)
    assert (local.day, local.hour, local.minute, local.second) == (15, 0, 0, 0)
    assert (local.year * 12 + local.month) - (created_on.year * 12 + created_on.month) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("at", "overdue"),
    [
        # The evening of 31 January in the ledger's zone is 1 February by UTC already.
        ("2024-02-01T07:59:59+00:00", "2024-03-15T07:00:00+00:00"),
        ("2024-02-01T08:00:00+00:00", "2024-04-15T07:00:00+00:00"),
    ],
)
@pytest.mark.parametrize("method", ["EJV", "EFT", "DIRECT_PAY", "INTERNAL"])
def test_every_invoice_has_its_date_by_the_ledger_s_calendar(method: str, at: str, overdue: str) -> None:
    invoice = an_invoice(method, at=datetime.fromisoformat(at))
    assert invoice.overdue_date.astimezone(UTC).isoformat() == overdue
