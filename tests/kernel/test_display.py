"""Values as people read them on a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from kernel.display import NOTHING, badge, length, moment, pretty_json, progress_bar


def test_a_moment_is_shown_in_the_zone_of_the_ledger_with_utc_in_its_title(settings: Settings) -> None:
    settings.LEDGER_ZONE = ZoneInfo("America/Toronto")

    shown = moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    assert '2026-01-01 22:04:05 <span class="ps-zone">EST</span>' in shown
    assert 'title="2026-01-02 03:04:05 UTC"' in shown
    assert moment(None) == NOTHING


def test_a_state_is_a_word_with_a_sign_and_escaped() -> None:
    assert badge("Failed <1>", "bad") == (
        '<span class="ps-badge ps-bad"><b aria-hidden="true">✕</b>Failed &lt;1&gt;</span>'
    )


@pytest.mark.parametrize(
    ("elapsed", "shown"),
    [
        (None, NOTHING),
        (timedelta(milliseconds=12), "12 ms"),
        (timedelta(seconds=3.21), "3.2 s"),
        (timedelta(minutes=4, seconds=10), "4 min 10 s"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=3, hours=4), "3 days"),
    ],
)
def test_a_length_is_told_in_the_units_that_fit(elapsed: timedelta | None, shown: str) -> None:
    assert length(elapsed) == shown


def test_nothing_is_a_dash() -> None:
    assert (pretty_json(None), progress_bar(0, None)) == (NOTHING, NOTHING)
