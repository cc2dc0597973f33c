"""Hostile amounts, dates, references and JSON in requests that are signed properly: refused, and nothing is stored."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payments.models import Payment, WebhookReceipt
from tests.flows.hostility import (
    ACCOUNT,
    assert_nothing_recorded,
    assert_refused,
    assert_said_nothing,
    logged_by,
    notice,
    refuse,
    with_literal,
)
from tests.payments.staged import everything_counted
from tests.payments.webhooks import make_channel, post, raw, signed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _channel(caplog: pytest.LogCaptureFixture) -> None:
    make_channel()
    caplog.set_level(logging.DEBUG)


NOT_A_NUMBER = (422, "notice-invalid", "amount_not_a_number")
NOT_POSITIVE = (422, "notice-invalid", "amount_not_positive")
TOO_LARGE = (422, "notice-invalid", "amount_too_large")
TOO_PRECISE = (422, "notice-invalid", "amount_too_precise")
NOT_JSON = (400, "json-invalid")
AMOUNTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "a tenth of a cent": ("0.001", TOO_PRECISE),
    "three decimals as text": ('"12.345"', TOO_PRECISE),
    "a hair above a cent": ("0.0100000000000000000000000000000001", TOO_PRECISE),
    "1e20": ("1e20", TOO_LARGE),
    "sixteen digits": ("1234567890123456", TOO_LARGE),
    "sixteen digits as text": ('"1234567890123456"', TOO_LARGE),
    "one cent too much": ("10000000000000.00", TOO_LARGE),
    "a hundred digits": ("9" * 100, TOO_LARGE),
    "a hundred and one digits": ("9" * 101, NOT_JSON),
    "five thousand digits": ("9" * 5000, NOT_JSON),
    "an exponent of 999,999,999": ("1e999999999", NOT_JSON),
    "an exponent beyond what Decimal counts": ("1e99999999999999999999", NOT_JSON),
    "zero with such an exponent": ("0e99999999999999999999", NOT_JSON),
    "a tiny exponent": ("1e-999999999", NOT_JSON),
    "a huge exponent as text": ('"1e999999999"', TOO_LARGE),
    "an exponent beyond Decimal as text": ('"1e99999999999999999999"', TOO_LARGE),
    "NaN": ("NaN", NOT_JSON),
    "NaN as text": ('"NaN"', NOT_A_NUMBER),
    "a signalling NaN as text": ('"sNaN1"', NOT_A_NUMBER),
    "Infinity": ("Infinity", NOT_JSON),
    "minus Infinity": ("-Infinity", NOT_JSON),
    "Infinity as text": ('"-Infinity"', NOT_A_NUMBER),
    "zero": ("0", NOT_POSITIVE),
    "minus zero": ("-0", NOT_POSITIVE),
    "minus zero with decimals": ("-0.00", NOT_POSITIVE),
    "zero with an exponent": ("0e5", NOT_POSITIVE),
    "negative": ("-12.50", NOT_POSITIVE),
    "true": ("true", NOT_A_NUMBER),
    "false": ("false", NOT_A_NUMBER),
    "null": ("null", NOT_A_NUMBER),
    "a list": ("[12.50]", NOT_A_NUMBER),
    "an object": ('{"value": 12.50}', NOT_A_NUMBER),
    "empty text": ('""', NOT_A_NUMBER),
    "with a currency sign": ('"$12.50"', NOT_A_NUMBER),
    "with a comma": ('"12,50"', NOT_A_NUMBER),
    "with thousands": ('"1,234.50"', NOT_A_NUMBER),
    "with underscores": ('"1_000"', NOT_A_NUMBER),
    "hexadecimal": ('"0x10"', NOT_A_NUMBER),
    "Arabic digits": ('"\u0661\u0662"', NOT_A_NUMBER),
    "full-width digits": ('"\uff11\uff12"', NOT_A_NUMBER),
    "a blank in front": ('" 12.50"', NOT_A_NUMBER),
    "leading zeros": ("012.50", NOT_JSON),
    "a plus sign": ("+12.50", NOT_JSON),
    "a bare point": (".5", NOT_JSON),
    "sixty-five digits as text": (f'"{"1" * 65}"', NOT_A_NUMBER),
}


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_hostile_amount_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    literal, answer = AMOUNTS[name]
    refuse(caplog, with_literal("amount", literal), *answer)


@pytest.mark.parametrize(
    ("literal", "stored"),
    [
        ("0.01", "0.01"),
        ("9999999999999.99", "9999999999999.99"),
        ("1.25e1", "12.50"),
        ("1250E-2", "12.50"),
        ('"12.500000"', "12.50"),
        ('"+12.5"', "12.50"),
        ("12.5000000000000000000000000000", "12.50"),
    ],
)
def test_an_odd_spelling_of_a_good_amount_is_read_exactly(literal: str, stored: str) -> None:
    assert post(with_literal("amount", literal)).status_code == 201
    assert Payment.objects.get().amount == Decimal(stored)


NOT_A_MOMENT = (422, "notice-invalid", "payment_date_not_a_moment")
TOO_OLD = (422, "notice-invalid", "payment_date_too_old")
IN_FUTURE = (422, "notice-invalid", "payment_date_in_future")
DATES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "no zone": ('"2026-11-05T13:45:00"', NOT_A_MOMENT),
    "a date alone": ('"2026-11-05"', NOT_A_MOMENT),
    "no seconds": ('"2026-11-05T13:45Z"', NOT_A_MOMENT),
    "the year 0001": ('"0001-01-01T00:00:00Z"', TOO_OLD),
    "the year 0001, before it in UTC": ('"0001-01-01T00:00:00+14:00"', NOT_A_MOMENT),
    "the year 0000": ('"0000-01-01T00:00:00Z"', NOT_A_MOMENT),
    "the year 9999": ('"9999-12-31T23:59:59Z"', IN_FUTURE),
    "the year 9999, after it in UTC": ('"9999-12-31T23:59:59-14:00"', NOT_A_MOMENT),
    "the year 10000": ('"10000-01-01T00:00:00Z"', NOT_A_MOMENT),
    "24:00": ('"2026-11-05T24:00:00Z"', NOT_A_MOMENT),
    "a leap second": ('"2016-12-31T23:59:60Z"', NOT_A_MOMENT),
    "30 February": ('"2026-02-30T12:00:00Z"', NOT_A_MOMENT),
    "29 February of no leap year": ('"2026-02-29T12:00:00Z"', NOT_A_MOMENT),
    "month 13": ('"2026-13-01T12:00:00Z"', NOT_A_MOMENT),
    "a zone of 99 hours": ('"2026-11-05T12:00:00+99:99"', NOT_A_MOMENT),
    "a zone by name": ('"2026-11-05T12:00:00 America/Vancouver"', NOT_A_MOMENT),
    "Arabic digits": ('"\u0662\u0660\u0662\u0666-11-05T12:00:00Z"', NOT_A_MOMENT),
    "full-width digits": ('"\uff12\uff10\uff12\uff16-11-05T12:00:00Z"', NOT_A_MOMENT),
    "a week date": ('"2026-W45-4T12:00:00Z"', NOT_A_MOMENT),
    "seconds since 1970": ("1793800000", NOT_A_MOMENT),
    "infinity": ('"infinity"', NOT_A_MOMENT),
    "null": ("null", (422, "notice-invalid", "payment_date_missing")),
    "a list": ("[2026, 11, 5]", NOT_A_MOMENT),
    "ten decimals": ('"2026-11-05T12:00:00.0123456789Z"', NOT_A_MOMENT),
    "NUL behind it": ('"2026-11-05T12:00:00Z\\u0000"', NOT_JSON),
}


@pytest.mark.parametrize("name", DATES)
def test_a_hostile_date_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    literal, answer = DATES[name]
    refuse(caplog, with_literal("payment_date", literal), *answer)


MISSING = (422, "notice-invalid", "reference_number_missing")
TOO_LONG = (422, "notice-invalid", "reference_number_too_long")
INVISIBLE = (422, "notice-invalid", "reference_number_invisible_character")
REFERENCES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "empty": ('""', MISSING),
    "blanks alone": ('" \\t\\r\\n "', MISSING),
    "null": ("null", MISSING),
    "a number": ("4711", (422, "notice-invalid", "reference_number_not_text")),
    "a list": ('["REF"]', (422, "notice-invalid", "reference_number_not_text")),
    "256 characters": (f'"{"R" * 256}"', TOO_LONG),
    "256 outside the first plane": (f'"{chr(0x1F600) * 256}"', TOO_LONG),
    "255 that come apart in form NFC": (f'"{chr(0x0958) * 255}"', TOO_LONG),
    "a hundred thousand accents": (f'"a{chr(0x0301) * 100_000}"', TOO_LONG),
    "NUL": ('"REF\\u00001"', NOT_JSON),
    "a raw control character": ('"REF\x01"', NOT_JSON),
    "an escaped control character": ('"REF\\u0001"', INVISIBLE),
    "a line break inside": ('"REF\\n1"', INVISIBLE),
    "a right-to-left mark": ('"REF\\u200f1"', INVISIBLE),
    "a right-to-left override": ('"REF\\u202e1"', INVISIBLE),
    "an isolate": ('"REF\\u20661"', INVISIBLE),
    "a zero-width blank": ('"REF\\u200b1"', INVISIBLE),
    "a zero-width joiner": ('"REF\\u200d1"', INVISIBLE),
    "a byte order mark": ('"\\ufeffREF1"', INVISIBLE),
    "a soft hyphen": ('"REF\\u00ad1"', INVISIBLE),
    "the first half of a surrogate pair": ('"REF\\ud83d"', NOT_JSON),
    "the second half": ('"\\ude00REF"', NOT_JSON),
    "a surrogate in raw bytes": ('"REF\ud83d"', NOT_JSON),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_hostile_reference_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    literal, answer = REFERENCES[name]
    refuse(caplog, with_literal("reference_number", literal), *answer)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


JSON: dict[str, tuple[bytes, tuple[Any, ...]]] = {
    "metadata of 10,000 levels": (with_literal("metadata", nested(10_000)), NOT_JSON),
    "metadata of 20 levels": (with_literal("metadata", nested(20)), NOT_JSON),
    "a list of 100,000 levels": (b"[" * 100_000, NOT_JSON),
    "metadata above 64 KiB": (
        raw(notice(metadata={"filler": "x" * 65_536})),
        (422, "notice-invalid", "metadata_too_large"),
    ),
    "unknown fields above 64 KiB": (
        raw(notice(filler="x" * 65_536)),
        (422, "notice-invalid", "metadata_too_large"),
    ),
    "metadata of 5 MB": (raw(notice(metadata={"filler": "x" * 5_000_000})), (413, "body-too-large")),
    "a body one byte too large": (raw(notice()).ljust(262_145), (413, "body-too-large")),
    "metadata that is a list": (
        raw(notice(metadata=["x"])),
        (422, "notice-invalid", "metadata_not_an_object"),
    ),
    "metadata that is text": (
        raw(notice(metadata='{"a": 1}')),
        (422, "notice-invalid", "metadata_not_an_object"),
    ),
    "a name twice": (raw(notice())[:-1] + b', "amount": 9.99}', NOT_JSON),
    "a name twice, once escaped": (raw(notice())[:-1] + b', "\\u0061mount": 9.99}', NOT_JSON),
    "a name twice in metadata": (with_literal("metadata", '{"a": 1, "a": 2}'), NOT_JSON),
    "thirty thousand names and one of them twice": (
        with_literal("metadata", "{" + ",".join(f'"{n}":1' for n in [*range(20_000), 19_999]) + "}"),
        NOT_JSON,
    ),
    "a number of 101 digits in metadata": (with_literal("metadata", '{"n": ' + "7" * 101 + "}"), NOT_JSON),
    "a zero with a monstrous exponent in metadata": (with_literal("metadata", '{"n": 0e999999999}'), NOT_JSON),
    "NUL in a name of metadata": (with_literal("metadata", '{"a\\u0000": 1}'), NOT_JSON),
    "half a surrogate pair in a name": (with_literal("metadata", '{"\\ud800": 1}'), NOT_JSON),
    "invalid UTF-8": (raw(notice())[:-1] + b', "x": "\xff\xfe"}', NOT_JSON),
    "overlong UTF-8": (raw(notice())[:-1] + b', "x": "\xc0\x80"}', NOT_JSON),
    "UTF-16": (raw(notice()).decode().encode("utf-16"), NOT_JSON),
    "a byte order mark": (b"\xef\xbb\xbf" + raw(notice()), NOT_JSON),
    "blanks alone": (b" \r\n\t ", NOT_JSON),
    "half a body": (raw(notice())[:40], NOT_JSON),
    "two bodies": (raw(notice()) * 2, NOT_JSON),
    "a comment": (raw(notice()) + b"// and more", NOT_JSON),
    "single quotes": (b"{'amount': 1}", NOT_JSON),
    "XML": (b"<payment amount='1'/>", NOT_JSON),
    "a list of notices": (raw([notice()]), (422, "notice-invalid")),
    "text": (b'"notice"', (422, "notice-invalid")),
}


@pytest.mark.parametrize("name", JSON)
def test_a_hostile_body_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    body, answer = JSON[name]
    refuse(caplog, body, *answer)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("loan_account_number", "A" * 21, "loan_account_number_too_long"),
        ("loan_account_number", "A\u200b1", "loan_account_number_invisible_character"),
        ("cif", 4711, "cif_not_text"),
        ("cif", "  ", "cif_missing"),
        ("currency", "cad", "currency_unknown"),
        ("currency", ["CAD"], "currency_unknown"),
        ("currency", "CAD\u0301", "currency_unknown"),
        ("payment_channel", "c" * 101, "payment_channel_too_long"),
        ("payment_channel", "a\u202eb", "payment_channel_invisible_character"),
        ("payment_channel", {"a": 1}, "payment_channel_not_text"),
    ],
)
def test_other_hostile_fields_are_refused(field: str, value: Any, code: str, caplog: pytest.LogCaptureFixture) -> None:
    refuse(caplog, raw(notice(**{field: value})), 422, "notice-invalid", code)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/json",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/json; charset=utf-8; charset=latin-1",
        "application/jsonlines",
    ],
)
def test_a_wrong_content_type_is_refused(content_type: str, caplog: pytest.LogCaptureFixture) -> None:
    refuse(caplog, raw(notice()), 415, "content-type-unsupported", content_type=content_type)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x-gzip"])
def test_a_compressed_body_is_not_even_looked_at(encoding: str, caplog: pytest.LogCaptureFixture) -> None:
    refuse(caplog, raw(notice()), 415, "content-type-unsupported", HTTP_CONTENT_ENCODING=encoding)


hostile_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["1e400", "\u202e", "\x00", "\ud800", "24:00", "-0", "NaN", "9" * 30, "e\u0301"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("reference_number", "loan_account_number", "cif", "amount", "currency", "payment_date", "metadata", "new")


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(FIELDS), hostile_json, max_size=4))
@example(changes={"reference_number": "\u0958" * 255})
@example(changes={"amount": float("inf")})
@example(changes={"metadata": {"\ud800": 1}})
def test_whatever_stands_in_the_fields_is_recorded_once_or_refused_whole(
    changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = everything_counted()
    body = json.dumps(notice(**changes)).encode()
    response = post(body, webhook_id=f"msg_{len(WebhookReceipt.objects.all())}")
    after = everything_counted()
    assert response.status_code in (200, 201, 400, 409, 422), response.content
    grown = {table for table in after if after[table] != before[table]}
    expected = {
        201: {"payments", "payment_references", "outbox_event", "outbox_delivery"},
        409: {"reference_conflict"},
    }.get(response.status_code, set())
    assert grown <= expected
    if response.status_code == 201:
        assert grown == expected
    assert_said_nothing(logged_by(caplog))


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(min_size=1, max_size=300)
    | st.text(min_size=1, max_size=200).map(lambda text: text.encode(errors="surrogatepass"))
)
@example(body=b'{"a":1e99999999999999999999}')
@example(body=b"[" * 300)
def test_whatever_bytes_are_signed_nothing_but_a_notice_is_recorded(body: bytes) -> None:
    response = post(body, headers=signed(body))
    assert response.status_code in (400, 422)
    assert_nothing_recorded()


def test_a_moment_at_the_edge_of_the_window_is_told_from_one_beyond_it() -> None:
    response = post(notice(payment_date=datetime.now(UTC).replace(year=9998).isoformat()))
    assert_refused(response, 422, "notice-invalid", "payment_date_in_future")
    assert ACCOUNT not in response.content.decode()
