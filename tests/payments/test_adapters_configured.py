"""The format that staff describe: its check when it is saved, and its reading of bodies."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.adapters.configured import mapping_errors, parse_path, value_at
from payments.notices import NoticeInvalid
from tests.payments.test_adapters import notice

MAPPING: dict[str, Any] = {
    "reference_number": "data.payment.ref",
    "loan_account_number": {"path": "data.items[0].loan", "transforms": ["text", "trim_left_zeros"]},
    "cif": "data.payer.id",
    "amount": {"path": "data.items[0].cents", "transforms": ["minor_units"]},
    "payment_date": {"path": "created", "transforms": ["unix_seconds"]},
    "currency": {"path": "data.currency", "transforms": ["upper"]},
}
BODY: dict[str, Any] = {
    "created": 1763600000,
    "data": {
        "payment": {"ref": "P-77", "memo": "thanks"},
        "items": [{"loan": 417, "cents": 12550, "sku": "L"}],
        "payer": {"id": "C9"},
        "currency": "cad",
    },
}
PLAIN_MAPPING = {name: name for name in ("reference_number", "loan_account_number", "cif", "amount", "payment_date")}


def test_a_body_is_read_by_paths_and_what_is_left_is_metadata() -> None:
    assert mapping_errors(MAPPING) == []
    read = notice("configured", BODY, MAPPING)
    assert (read.reference_number, read.loan_account_number, read.cif) == ("P-77", "417", "C9")
    assert (read.amount, read.currency) == (Decimal("125.50"), "CAD")
    assert read.payment_date == datetime(2025, 11, 20, 0, 53, 20, tzinfo=UTC)
    assert read.metadata == {"data": {"payment": {"memo": "thanks"}, "items": [{"sku": "L"}]}}


def test_the_body_itself_is_not_changed_by_reading() -> None:
    before = repr(BODY)
    notice("configured", BODY, MAPPING)
    assert repr(BODY) == before


@pytest.mark.parametrize(
    ("mapping", "codes"),
    [
        ([], ["not_an_object"]),
        ({}, ["field_missing"] * 5),
        (PLAIN_MAPPING | {"colour": "a"}, ["field_unknown"]),
        (PLAIN_MAPPING | {"cif": "a..b"}, ["path_malformed"]),
        (PLAIN_MAPPING | {"cif": ""}, ["path_malformed"]),
        (PLAIN_MAPPING | {"cif": 7}, ["entry_malformed"]),
        (PLAIN_MAPPING | {"cif": {"transforms": []}}, ["entry_malformed"]),
        (PLAIN_MAPPING | {"cif": {"path": "a", "colour": 1}}, ["entry_malformed"]),
        (PLAIN_MAPPING | {"cif": {"path": "a", "transforms": ["reverse"]}}, ["transform_unknown"]),
        (PLAIN_MAPPING | {"cif": {"path": "a", "transforms": ["minor_units"]}}, ["transform_unknown"]),
        (PLAIN_MAPPING | {"cif": {"path": "a", "transforms": "upper"}}, ["transform_unknown"]),
        (PLAIN_MAPPING | {"cif": {"path": "a", "transforms": [["upper"]]}}, ["transform_unknown"]),
    ],
)
def test_each_mistake_in_a_mapping_is_said_when_it_is_saved(mapping: Any, codes: list[str]) -> None:
    errors = mapping_errors(mapping)
    assert [error.code for error in errors] == codes
    assert all(error.field == "mapping" and error.message for error in errors)


def test_a_mapping_saved_around_the_check_refuses_every_body_with_the_reason() -> None:
    with pytest.raises(NoticeInvalid) as caught:
        notice("configured", BODY, {"cif": "a..b"})
    assert {error.code for error in caught.value.errors} == {"field_missing", "path_malformed"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("ref", ("ref",)),
        ("data.items[0].amount", ("data", "items", 0, "amount")),
        ("[2]", (2,)),
        ("[2].x", (2, "x")),
        ("a[0][1]", ("a", 0, 1)),
        ("größe.$id", ("größe", "$id")),
        (".a", None),
        ("a.", None),
        ("a..b", None),
        ("a[]", None),
        ("a[-1]", None),
        ("a[0]b", None),
        ("a b", None),
        ("a[x]", None),
        ("", None),
        (None, None),
        ("a" * 201, None),
    ],
)
def test_paths_are_names_and_numbers(text: Any, path: Any) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        ({"a": [1, 2]}, "a[1]", 2),
        ({"a": [1, 2]}, "a[2]", None),
        ({"a": 1}, "a.b", None),
        ({"a": 1}, "a[0]", None),
        ({"a": {"0": 1}}, "a[0]", None),
        ([{"x": 1}], "[0].x", 1),
    ],
)
def test_a_place_that_is_not_there_gives_nothing(body: Any, path: str, value: Any) -> None:
    parsed = parse_path(path)
    assert parsed is not None
    assert value_at(body, parsed) == value


@pytest.mark.parametrize("amount", [12550, "12550"])
def test_minor_units_are_whole_numbers(amount: Any) -> None:
    body = BODY | {"data": BODY["data"] | {"items": [{"loan": "1", "cents": amount}]}}
    assert notice("configured", body, MAPPING).amount == Decimal("125.50")


@pytest.mark.parametrize("amount", [Decimal("125.5"), "125.50", True, None, [], "9" * 30])
def test_minor_units_that_are_not_whole_are_refused(amount: Any) -> None:
    body = BODY | {"data": BODY["data"] | {"items": [{"loan": "1", "cents": amount}]}}
    with pytest.raises(NoticeInvalid) as caught:
        notice("configured", body, MAPPING)
    assert [error.field for error in caught.value.errors] == ["amount"]


@pytest.mark.parametrize("created", ["soon", True, Decimal("1.5"), 10**18, -(10**18), {}])
def test_a_moment_that_cannot_be_turned_is_refused_with_its_path(created: Any) -> None:
    with pytest.raises(NoticeInvalid) as caught:
        notice("configured", BODY | {"created": created}, MAPPING)
    (error,) = caught.value.errors
    assert (error.field, error.code) == ("payment_date", "payment_date_unsuitable")
    assert "created" in error.message


def test_milliseconds_are_exact() -> None:
    mapping = MAPPING | {"payment_date": {"path": "created", "transforms": ["unix_milliseconds"]}}
    read = notice("configured", BODY | {"created": "1763600000123"}, mapping)
    assert read.payment_date == datetime(2025, 11, 20, 0, 53, 20, 123000, tzinfo=UTC)


@given(st.text(max_size=30))
def test_every_path_that_parses_can_be_followed(text: str) -> None:
    path = parse_path(text)
    if path is not None:
        assert value_at({"a": [{"b": 1}]}, path) is None or text.startswith("a")
