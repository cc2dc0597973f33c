"""What a notice must be: each field's limits, and that everything wrong is said at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import exactjson
from kernel.errors import FieldError, PaymentsiteError
from payments.notices import NoticeInvalid, NoticeLimits, PaymentNotice, parse_moment, read_notice
from payments.rules import RULE_BY_CODE, RULES, reason_sentences

AT = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
LIMITS = NoticeLimits(at=AT, max_age=timedelta(days=3652), max_future=timedelta(hours=24), default_currency="CAD")
BODY: dict[str, Any] = {
    "reference_number": "REF-1",
    "loan_account_number": "LN1",
    "cif": "CIF1",
    "amount": Decimal("10.50"),
    "payment_date": "2026-11-20T16:00:00Z",
}


def read(**changes: Any) -> PaymentNotice:
    return read_notice({**BODY, **changes}, LIMITS)


def codes_of(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(NoticeInvalid) as refusal:
        read(**changes)
    return [(error.field, error.code) for error in refusal.value.errors]


def test_the_smallest_body_is_a_notice_in_the_default_currency() -> None:
    notice = read()

    assert notice.identity == ("LN1", "CIF1", Decimal("10.50"), "CAD", datetime(2026, 11, 20, 16, 0, tzinfo=UTC))
    assert (notice.payment_channel, notice.metadata) == (None, None)


@pytest.mark.parametrize(
    ("amount", "read_as"),
    [
        (Decimal("0.01"), "0.01"),
        (5, "5.00"),
        ("12.5", "12.50"),
        (Decimal("1E+3"), "1000.00"),
        (Decimal("10.500"), "10.50"),
        (Decimal("9999999999999.99"), "9999999999999.99"),
    ],
)
def test_amounts_are_read_exactly(amount: Any, read_as: str) -> None:
    assert str(read(amount=amount).amount) == read_as


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (None, "amount_not_a_number"),
        ("", "amount_not_a_number"),
        ("ten", "amount_not_a_number"),
        ("NaN", "amount_not_a_number"),
        ("Infinity", "amount_not_a_number"),
        ("1,000.00", "amount_not_a_number"),
        ("\u0661\u0662", "amount_not_a_number"),
        (True, "amount_not_a_number"),
        ([1], "amount_not_a_number"),
        (0, "amount_not_positive"),
        (Decimal("-0.00"), "amount_not_positive"),
        (Decimal("-1"), "amount_not_positive"),
        (Decimal("0.001"), "amount_too_precise"),
        ("12.345", "amount_too_precise"),
        (Decimal("10000000000000.00"), "amount_too_large"),
        (Decimal("1E+20"), "amount_too_large"),
        (10**16, "amount_too_large"),
    ],
)
def test_amounts_that_cannot_be_recorded_are_refused(amount: Any, code: str) -> None:
    assert codes_of(amount=amount) == [("amount", code)]


def test_a_currency_without_decimals_takes_whole_amounts_only() -> None:
    assert read(currency="JPY", amount=500).amount == Decimal("500.00")
    assert codes_of(currency="JPY", amount=Decimal("500.50")) == [("amount", "amount_too_precise")]


@pytest.mark.parametrize("currency", ["cad", "XYZ", "", 840])
def test_a_currency_that_iso_4217_does_not_list_is_refused(currency: Any) -> None:
    assert codes_of(currency=currency) == [("currency", "currency_unknown")]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T16:00:00Z", datetime(2026, 11, 20, 16, tzinfo=UTC)),
        ("2026-11-20T09:00:00.5-07:00", datetime(2026, 11, 20, 16, 0, 0, 500000, tzinfo=UTC)),
        ("2026-11-20 16:00:00.123456789Z", datetime(2026, 11, 20, 16, 0, 0, 123456, tzinfo=UTC)),
        ("2024-02-29T00:00:00z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_moments_are_read_in_utc(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20",
        "2026-11-20T16:00:00",
        "2026-11-20T16:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:59:60Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "20261120T160000Z",
        "1763654400",
        "tomorrow",
    ],
)
def test_what_is_no_moment_with_a_zone_is_none(text: str) -> None:
    assert parse_moment(text) is None
    assert codes_of(payment_date=text) == [("payment_date", "payment_date_not_a_moment")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2016-11-19T00:00:00Z", "payment_date_too_old"),
        ("0001-01-02T00:00:00Z", "payment_date_too_old"),
        ("2026-11-21T18:00:01Z", "payment_date_in_future"),
        ("9999-12-31T00:00:00Z", "payment_date_in_future"),
    ],
)
def test_moments_outside_the_window_are_refused(text: str, code: str) -> None:
    assert codes_of(payment_date=text) == [("payment_date", code)]


@pytest.mark.parametrize("field", ["reference_number", "loan_account_number", "cif"])
@pytest.mark.parametrize(
    ("value", "ending"),
    [
        (None, "missing"),
        ("", "missing"),
        (" \t\n", "missing"),
        ("x" * 256, "too_long"),
        ("a\x00b", "invisible_character"),
        ("a\u202eb", "invisible_character"),
        ("a\u200bb", "invisible_character"),
        ("a\nb", "invisible_character"),
        (12345, "not_text"),
    ],
)
def test_texts_that_cannot_be_told_apart_or_kept_are_refused(field: str, value: Any, ending: str) -> None:
    assert codes_of(**{field: value}) == [(field, f"{field}_{ending}")]


def test_references_are_trimmed_and_put_into_one_unicode_form_and_keep_their_case() -> None:
    assert read(reference_number=" Cafe\u0301 ").reference_number == "Caf\u00e9"
    assert read(reference_number="abc").reference_number != read(reference_number="ABC").reference_number


def test_unknown_fields_are_kept_in_metadata_and_push_nothing_aside() -> None:
    notice = read(metadata={"branch": "12", "note": "inner"}, note="outer", extra=[1, Decimal("2.50")])

    assert notice.metadata == {"branch": "12", "note": "inner", "body.note": "outer", "extra": [1, Decimal("2.50")]}


@pytest.mark.parametrize("metadata", [[], "text", 5, True])
def test_metadata_must_be_an_object(metadata: Any) -> None:
    assert codes_of(metadata=metadata) == [("metadata", "metadata_not_an_object")]


def test_metadata_has_a_limit() -> None:
    assert codes_of(metadata={"text": "x" * 70_000}) == [("metadata", "metadata_too_large")]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(NoticeInvalid) as refusal:
        read_notice({}, LIMITS)

    assert [error.field for error in refusal.value.errors] == [
        "reference_number",
        "loan_account_number",
        "cif",
        "amount",
        "payment_date",
    ]
    assert all(error.message for error in refusal.value.errors)


@pytest.mark.parametrize("body", [None, [], "text", 5])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(NoticeInvalid, match="one JSON object"):
        read_notice(body, LIMITS)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*BODY, "metadata", "currency", "payment_channel", "other"]), ANY_JSON))
def test_any_json_is_either_a_notice_or_refused_with_reasons(changes: dict[str, Any]) -> None:
    reasons: tuple[FieldError, ...] = ()
    notice: PaymentNotice | None
    try:
        notice = read(**changes)
    except NoticeInvalid as refusal:
        reasons, notice = refusal.errors, None

    assert (notice is None) == bool(reasons)
    if notice is not None:
        assert notice.amount > 0
        assert notice.payment_date.tzinfo is UTC
        assert notice.reference_number == notice.reference_number.strip(" \t\r\n")


@given(ANY_JSON)
def test_exact_json_comes_back_as_it_went(value: Any) -> None:
    try:
        text = exactjson.dumps(value)
        back = exactjson.loads(text)
    except PaymentsiteError:
        return
    assert back == value
    assert exactjson.dumps(back) == text


def test_every_reason_has_a_sentence_and_an_unknown_one_stands_for_itself() -> None:
    assert len(RULE_BY_CODE) == len(RULES)
    assert all(sentence.endswith((".", ")")) for sentence in reason_sentences([rule.code for rule in RULES]))
    assert reason_sentences(["gone_code"]) == ["gone_code"]
