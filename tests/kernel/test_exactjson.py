"""Exact JSON: what is refused, and that no digit is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kernel import exactjson
from kernel.exactjson import JsonInvalid


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": 1, "a": 2}', "more than once"),
        (b'{"a": {"b": 1, "b": 1}}', "more than once"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"\xff\xfe", "not UTF-8: byte 0"),
        (b"[" * 21 + b"]" * 21, "nested deeper"),
        (b"[" * 10_000 + b"]" * 10_000, "nested deeper"),
        (b'{"a": ' + b"9" * 101 + b"}", "more than 100 digits"),
        (b'{"a": 1e999999999}', "more than 100 digits"),
        (b'{"a": 0.' + b"1" * 101 + b"}", "more than 100 digits"),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(raw: bytes, sentence: str) -> None:
    with pytest.raises(JsonInvalid, match=sentence):
        exactjson.loads(raw)


def test_numbers_keep_every_digit() -> None:
    value = exactjson.loads(b'{"a": 0.10, "b": 12345678901234567890.123456789, "c": 1E+2, "d": 7}')

    assert value == {"a": Decimal("0.10"), "b": Decimal("12345678901234567890.123456789"), "c": Decimal("100"), "d": 7}
    assert exactjson.dumps(value) == '{"a": 0.10, "b": 12345678901234567890.123456789, "c": 1E+2, "d": 7}'


def test_twenty_levels_are_allowed() -> None:
    assert exactjson.loads(b"[" * 20 + b"]" * 20)


@pytest.mark.parametrize("value", [0.1, {"a": 0.1}, Decimal("NaN"), object(), b"bytes"])
def test_what_has_no_exact_form_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        exactjson.dumps(value)
