from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import LARGEST_AMOUNT, AmountInvalid, CurrencyMismatch, Money, parse_amount

cents = st.decimals(Decimal("0.01"), LARGEST_AMOUNT, places=2)
amounts = st.decimals(-LARGEST_AMOUNT, LARGEST_AMOUNT, places=2)


def cad(amount: str) -> Money:
    return Money(Decimal(amount), "CAD")


@given(cents)
def test_an_amount_survives_writing_and_parsing_exactly(amount: Decimal) -> None:
    parsed = parse_amount(format(amount, "f"), "CAD")
    assert parsed == amount
    assert parsed.as_tuple().exponent == -2
    assert parse_amount(amount, "CAD") == amount


@given(st.integers(1, int(LARGEST_AMOUNT)))
def test_a_whole_number_is_an_amount_of_every_currency(amount: int) -> None:
    assert parse_amount(amount, "CAD") == amount
    assert parse_amount(str(amount), "JPY").as_tuple().exponent == 0


@given(st.text(max_size=80))
def test_any_text_gives_an_exact_amount_or_a_refusal(text: str) -> None:
    try:
        amount = parse_amount(text, "CAD")
    except AmountInvalid:
        return
    assert Fraction(text) == Fraction(amount)
    assert 0 < amount <= LARGEST_AMOUNT


@given(st.from_regex(r"[+-]?[0-9]{0,16}\.?[0-9]{0,4}([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_anything_like_a_number_is_exact_when_it_is_accepted(text: str) -> None:
    try:
        amount = parse_amount(text, "CAD")
    except AmountInvalid:
        return
    assert Fraction(text) == Fraction(amount)
    assert amount.as_tuple().exponent == -2


@pytest.mark.parametrize("written", ["12.5", "12.50", "12.5000", "1.25e1", "1250E-2", "+12.5", "012.5"])
def test_what_counts_is_the_value_not_how_it_is_written(written: str) -> None:
    assert str(parse_amount(written, "CAD")) == "12.50"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "not-finite"),
        ("sNaN", "not-finite"),
        ("-Infinity", "not-finite"),
        ("inf", "not-finite"),
        (Decimal("NaN"), "not-finite"),
        (Decimal("Infinity"), "not-finite"),
        ("", "not-a-number"),
        (" 12", "not-a-number"),
        ("12 ", "not-a-number"),
        ("12\n", "not-a-number"),
        ("1_000", "not-a-number"),
        ("1,000.00", "not-a-number"),
        ("$5", "not-a-number"),
        ("٣", "not-a-number"),
        ("0x10", "not-a-number"),
        ("--1", "not-a-number"),
        (".", "not-a-number"),
        ("1" * 65, "not-a-number"),
        (None, "not-a-number"),
        (True, "not-a-number"),
        (["1"], "not-a-number"),
        ({}, "not-a-number"),
        (b"1", "not-a-number"),
        ("-1", "not-positive"),
        (-1, "not-positive"),
        ("0", "not-positive"),
        ("-0.00", "not-positive"),
        ("0.001", "too-many-decimals"),
        ("12.505", "too-many-decimals"),
        ("1e-400", "too-many-decimals"),
        (Decimal("0.1234567890123456789012345678901234567890"), "too-many-decimals"),
        ("10000000000000.00", "too-large"),
        ("1e400", "too-large"),
        ("1e999999999999999999999", "too-large"),
        (10**4000, "too-large"),
    ],
)
def test_a_refusal_names_what_is_wrong(value: object, reason: str) -> None:
    with pytest.raises(AmountInvalid) as refusal:
        parse_amount(value, "CAD", field="sum")
    assert refusal.value.reason == reason
    assert refusal.value.errors[0].field == "sum"
    assert "sum" in refusal.value.detail
    assert len(refusal.value.detail) < 200
    assert (refusal.value.status, refusal.value.code) == (422, "amount-invalid")


def test_a_float_is_a_defect_of_the_caller() -> None:
    with pytest.raises(TypeError, match="float"):
        parse_amount(12.5, "CAD")
    with pytest.raises(TypeError, match="float"):
        Money(12.5, "CAD")  # type: ignore[arg-type]


def test_zero_is_an_amount_only_where_it_is_allowed() -> None:
    assert str(parse_amount("-0", "CAD", zero_allowed=True)) == "0.00"
    assert parse_amount("0.000", "CAD", zero_allowed=True) == 0


def test_a_currency_without_decimals_refuses_them() -> None:
    assert parse_amount("100.00", "JPY") == 100
    with pytest.raises(AmountInvalid, match="0 that JPY") as refusal:
        parse_amount("100.5", "JPY")
    assert refusal.value.reason == "too-many-decimals"


def test_a_currency_with_three_decimals_is_kept_with_two() -> None:
    assert str(parse_amount("1.230", "KWD")) == "1.23"
    with pytest.raises(AmountInvalid, match="2 that KWD"):
        parse_amount("1.234", "KWD")


@pytest.mark.parametrize("code", ["cad", "XXX", "", "DOLLARS OF THE LONGEST KIND"])
def test_an_unknown_currency_is_refused_by_name(code: str) -> None:
    with pytest.raises(AmountInvalid) as refusal:
        parse_amount("1", code)
    assert (refusal.value.reason, refusal.value.errors[0].field) == ("currency-unknown", "currency")
    with pytest.raises(AmountInvalid):
        Money(Decimal(1), code)


@given(amounts, amounts)
def test_addition_is_exact_and_subtraction_undoes_it(left: Decimal, right: Decimal) -> None:
    first, second = Money(left, "CAD"), Money(right, "CAD")
    assert Fraction((first + second).amount) == Fraction(left) + Fraction(right)
    assert first + second - second == first
    assert first + second == second + first


@given(st.lists(amounts, max_size=30))
def test_a_total_does_not_depend_on_the_order(values: list[Decimal]) -> None:
    moneys = [Money(value, "CAD") for value in values]
    assert Money.total(moneys, "CAD") == Money.total(reversed(moneys), "CAD")
    assert Fraction(Money.total(moneys, "CAD").amount) == sum(map(Fraction, values), Fraction(0))


@given(st.decimals(-1_000_000, 1_000_000, places=6))
def test_rounding_goes_half_to_even_and_settles(amount: Decimal) -> None:
    rounded = Money(amount, "CAD").quantize()
    assert rounded.amount == amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    assert abs(rounded.amount - amount) <= Decimal("0.005")
    assert rounded.quantize() == rounded


@pytest.mark.parametrize(
    ("written", "rounded"), [("0.125", "0.12"), ("0.135", "0.14"), ("-0.125", "-0.12"), ("0.1250001", "0.13")]
)
def test_halves_go_to_the_even_cent(written: str, rounded: str) -> None:
    assert str(cad(written).quantize().amount) == rounded


def test_yen_are_rounded_to_whole_ones() -> None:
    assert str(Money(Decimal("2.5"), "JPY").quantize()) == "2 JPY"


def test_another_currency_is_refused_by_every_operation() -> None:
    yen = Money(Decimal(1), "JPY")
    for operation in (
        lambda: cad("1") + yen,
        lambda: cad("1") - yen,
        lambda: cad("1") < yen,
        lambda: cad("1") >= yen,
        lambda: Money.total([cad("1"), yen], "CAD"),
    ):
        with pytest.raises(CurrencyMismatch, match="JPY"):
            operation()
    assert cad("1") != yen


def test_money_goes_together_with_money_only() -> None:
    with pytest.raises(TypeError):
        cad("1") + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        cad("1") * 0.5  # type: ignore[operator]
    with pytest.raises(TypeError):
        cad("1") * True


def test_arithmetic_that_would_have_to_round_raises() -> None:
    with pytest.raises(Inexact):
        Money(Decimal("1e60"), "CAD") + cad("0.000001")


def test_money_knows_its_sign_and_its_order() -> None:
    assert -cad("1.50") == cad("-1.50")
    assert abs(cad("-1.50")) == cad("1.50")
    assert cad("1.50") * 3 == 3 * cad("1.50") == cad("4.50")
    assert cad("1") < cad("1.01") <= cad("1.01") < cad("2")
    assert not Money.zero("CAD")
    assert str(cad("1.50")) == "1.50 CAD"
    assert Money.parse("1.5", "CAD") == cad("1.50")
