from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.activation import first_debit_at

PACIFIC = ZoneInfo("America/Vancouver")


@pytest.mark.parametrize(
    ("accepted", "first"),
    [
        # At noon of the 1st in Vancouver: the 2nd, 3rd and 4th go by.
        ("2026-06-01T19:00", "2026-06-05T07:00"),
        # Late in the evening there it is the next day already in UTC, and still the 1st for us.
        ("2026-06-02T06:59", "2026-06-05T07:00"),
        ("2026-06-02T07:00", "2026-06-06T07:00"),
        # Across the end of summer time the midnight is one hour later in UTC.
        ("2024-10-31T19:00", "2024-11-04T08:00"),
    ],
)
def test_the_first_debit_is_at_the_midnight_after_three_whole_days(accepted: str, first: str) -> None:
    accepted_at = datetime.fromisoformat(accepted).replace(tzinfo=UTC)

    found = first_debit_at(accepted_at, waiting_days=3, zone=PACIFIC)

    assert found.astimezone(UTC).isoformat()[:16] == first


def test_without_waiting_days_the_first_debit_is_tomorrow() -> None:
    found = first_debit_at(datetime(2026, 6, 1, 19, 0, tzinfo=UTC), waiting_days=0, zone=PACIFIC)

    assert found.isoformat() == "2026-06-02T00:00:00-07:00"
