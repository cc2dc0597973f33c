from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st

from payments.admin.channelforms import NewChannelForm
from payments.forms import CorrectionForm, LedgerMomentField, amount_text, in_zone, shown_moment
from payments.notices import parse_moment

VANCOUVER = ZoneInfo("America/Vancouver")
TORONTO = ZoneInfo("America/Toronto")


@given(st.datetimes(datetime(2016, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
def test_a_moment_that_is_shown_is_read_back_as_the_same_instant(at: datetime) -> None:
    assert parse_moment(LedgerMomentField().clean(shown_moment(at))) == at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-31 14:05", datetime(2026, 3, 31, 14, 5, tzinfo=VANCOUVER)),
        ("2026-03-31T14:05:07.25", datetime(2026, 3, 31, 14, 5, 7, 250_000, tzinfo=VANCOUVER)),
        (" 2026-03-31 21:05:00Z ", datetime(2026, 3, 31, 21, 5, tzinfo=UTC)),
        ("2026-03-31 14:05:00+02:00", datetime(2026, 3, 31, 12, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_is_the_ledgers_unless_it_names_a_zone(text: str, expected: datetime) -> None:
    assert parse_moment(LedgerMomentField().clean(text)) == expected


@pytest.mark.parametrize("text", ["31/03/2026", "2026-02-30 10:00", "2026-03-31", "2026-03-31 25:00", "now"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(forms.ValidationError):
        LedgerMomentField().clean(text)


def test_an_hour_that_came_twice_asks_for_the_zone_and_one_that_was_skipped_is_refused() -> None:
    with pytest.raises(ValueError, match="came twice") as twice:
        in_zone(datetime(2026, 11, 1, 1, 30), TORONTO)
    assert "-04:00" in str(twice.value)
    assert "-05:00" in str(twice.value)
    with pytest.raises(ValueError, match="no such hour"):
        in_zone(datetime(2026, 3, 8, 2, 30), TORONTO)


@given(st.decimals(Decimal("-9999999999999.99"), Decimal("9999999999999.99"), places=2))
def test_an_amount_out_of_raw_json_is_shown_to_the_cent(amount: Decimal) -> None:
    # What Django's JSON field makes of a numeric(15,2) in jsonb.
    assert Decimal(amount_text(float(str(amount)))) == amount


def test_an_amount_that_is_text_is_shown_as_it_came() -> None:
    assert [amount_text(value) for value in ("12,50", None, 75, 0.125)] == ["12,50", "", "75.00", "0.125"]


@pytest.mark.parametrize("text", ['{"a": 1', "[1]", '{"a": 1, "a": 2}', "7"])
def test_metadata_that_is_no_json_object_is_refused_at_its_field(text: str) -> None:
    form = CorrectionForm({"metadata": text})

    assert "metadata" in form.errors


def test_the_help_of_a_correction_is_escaped() -> None:
    form = CorrectionForm(initial={"came": {"cif": "Came as: <script>"}, "wrong": {"cif": ["Too <b>long</b>"]}})

    assert "<script>" not in form.fields["cif"].help_text
    assert "Too &lt;b&gt;long" in form.fields["cif"].help_text


def test_a_new_channel_asks_for_its_short_name_first() -> None:
    assert next(iter(NewChannelForm().fields)) == "slug"
