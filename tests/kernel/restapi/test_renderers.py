from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from kernel.restapi import ExactJSONRenderer


def rendered(value: Any) -> Any:
    return json.loads(ExactJSONRenderer().render(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_decimal_is_a_string_with_every_digit(amount: Decimal) -> None:
    text = rendered({"amount": amount})["amount"]
    assert Decimal(text) == amount
    assert "E" not in text


def test_instants_are_utc_with_z_whatever_their_zone() -> None:
    at = datetime(2026, 11, 5, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert rendered([at, at.astimezone(UTC)]) == ["2026-11-04T20:00:00Z"] * 2
    assert rendered(datetime(2026, 11, 5, 1, 30, 0, 5, tzinfo=UTC)) == "2026-11-05T01:30:00.000005Z"


def test_a_time_without_zone_and_a_date_stay_what_they_are() -> None:
    assert rendered([datetime(2026, 11, 5, 1, 30), date(2026, 11, 5)]) == ["2026-11-05T01:30:00", "2026-11-05"]


def test_ids_lazy_texts_and_sets_have_a_form() -> None:
    value = {"id": UUID(int=1), "title": gettext_lazy("Payments"), "codes": {"b", "a"}, 7: "Zoë"}
    assert rendered(value) == {
        "id": "00000000-0000-0000-0000-000000000001",
        "title": "Payments",
        "codes": ["a", "b"],
        "7": "Zoë",
    }


def test_no_answer_is_an_empty_body() -> None:
    assert ExactJSONRenderer().render(None) == b""


def test_what_has_no_exact_form_is_a_defect() -> None:
    with pytest.raises(TypeError):
        rendered({"value": object()})
