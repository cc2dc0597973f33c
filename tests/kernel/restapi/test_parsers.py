from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from structlog.contextvars import clear_contextvars

from kernel.errors import PaymentsiteError
from kernel.exactjson import JsonInvalid
from kernel.restapi import ExactJSONParser

factory = APIRequestFactory()


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    yield
    clear_contextvars()


class Reading(APIView):
    """Answers what it has read, digit for digit; the parser is the one of the settings."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        read: Any = request.data
        return Response({name: [type(value).__name__, str(value)] for name, value in read.items()})


def sent(raw: bytes, content_type: str = "application/json") -> Any:
    # The stubs know of text alone; bytes go out as they are.
    body: Any = raw
    response = Reading.as_view()(factory.generic("POST", "/api/v1/things", body, content_type=content_type))
    return response.render() if hasattr(response, "render") else response


def test_numbers_arrive_digit_for_digit() -> None:
    raw = b'{"amount": 0.10, "large": 12345678901234567890.12, "count": 7, "name": "caf\xc3\xa9", "ok": true}'
    assert json.loads(sent(raw).content) == {
        "amount": ["Decimal", "0.10"],
        "large": ["Decimal", "12345678901234567890.12"],
        "count": ["int", "7"],
        "name": ["str", "café"],
        "ok": ["bool", "True"],
    }


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_read_however_it_is_spelt(content_type: str) -> None:
    assert sent(b'{"a": 1}', content_type).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"name=value",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} {"b": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"deep": {"a": 1, "a": 1}}',
        b'{"a": 1e999999999}',
        b'{"a": 1e101}',
        b'{"a": ' + b"9" * 101 + b"}",
        b'{"a": 0.' + b"1" * 101 + b"}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b'{"a\\u0000": 1}',
        b'{"a": "\x00"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"[" * 25 + b"]" * 25 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"[]",
        b'"text"',
        b"12",
        b"null",
        b"true",
    ],
)
def test_what_is_not_one_usable_object_is_a_problem_and_never_a_defect(raw: bytes) -> None:
    response = sent(raw) if raw else parsed_alone(raw)
    problem = json.loads(response.content)
    assert (response.status_code, problem["code"]) == (400, "json-invalid")
    assert response["Content-Type"] == "application/problem+json"
    assert problem["detail"]
    assert problem["next_step"]


def parsed_alone(raw: bytes) -> Any:
    """REST framework asks no parser about a body of no bytes; its fields are missed later, by name."""
    assert sent(raw).status_code == 200

    class Asking(Reading):
        def post(self, request: Request) -> Response:
            return Response(ExactJSONParser().parse(io.BytesIO(raw)))

    return Asking.as_view()(factory.post("/api/v1/things"))


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"],
)
def test_a_body_of_another_type_is_a_415(content_type: str) -> None:
    response = sent(b'{"a": 1}', content_type)
    assert (response.status_code, json.loads(response.content)["code"]) == (415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_a_413_and_not_read_to_its_end(settings: Any) -> None:
    settings.API_MAX_BODY_BYTES = 1024
    fits = b'{"a": "' + b"x" * (1024 - 9) + b'"}'
    assert (len(fits), sent(fits).status_code) == (1024, 200)
    stream = io.BytesIO(b" " + fits * 10)
    with pytest.raises(PaymentsiteError) as refusal:
        ExactJSONParser().parse(stream)
    assert (refusal.value.status, refusal.value.code, stream.tell()) == (413, "too-large", 1025)
    response = sent(fits + b" ")
    assert (response.status_code, json.loads(response.content)["code"]) == (413, "too-large")


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_body_is_a_defect(raw: bytes) -> None:
    assert isinstance(read_or_refused(raw), dict | JsonInvalid)


def read_or_refused(raw: bytes) -> object:
    try:
        return ExactJSONParser().parse(io.BytesIO(raw))
    except JsonInvalid as refusal:
        return refusal


@given(st.dictionaries(st.text("abc", max_size=5), st.decimals(allow_nan=False, allow_infinity=False, places=2)))
def test_every_amount_survives(amounts: dict[str, Decimal]) -> None:
    raw = "{" + ", ".join(f'"{name}": {amount:f}' for name, amount in amounts.items()) + "}"
    if any(len(amount.as_tuple().digits) > 100 for amount in amounts.values()):
        return
    read = ExactJSONParser().parse(io.BytesIO(raw.encode()))
    assert {name: format(amount, "f") for name, amount in read.items()} == {
        name: format(amount, "f") for name, amount in amounts.items()
    }
