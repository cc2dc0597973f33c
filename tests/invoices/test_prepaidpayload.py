"""What is sent to the prepaid mainframe is the same cents that the invoice has, for every cent there is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.prepaidpayload import (
    FeeCodeMissing,
    FeeCodes,
    PrepaidAmountUnfit,
    amount_from_text,
    amount_text,
    debit_amount,
    fee_code,
    remarks,
)

CODES = FeeCodes(full="FULL", partial="PART", none="NONE", staff="STAFF")


def test_every_cent_up_to_9999_99_arrives_as_it_was_sent() -> None:
    wrong = []
    for cents in range(1, 1_000_000):
        amount = Decimal(f"{cents // 100}.{cents % 100:02d}")
        text = amount_text(amount)
        if text != f"{cents:010d}" or amount_from_text(text) != amount:
            wrong.append(amount)
    assert wrong == []


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("19.99", "0000001999"),
        ("8.29", "0000000829"),
        ("1.15", "0000000115"),
        ("4.35", "0000000435"),
        ("0.01", "0000000001"),
        ("30", "0000003000"),
        ("1E+2", "0000010000"),
        ("12.500", "0000001250"),
        ("99999999.99", "9999999999"),
    ],
)
def test_no_cent_is_lost_where_floats_lose_one(amount: str, text: str) -> None:
    assert amount_text(Decimal(amount)) == text
    assert amount_from_text(text) == Decimal(amount)


@given(st.integers(1, 9_999_999_999))
def test_whatever_has_a_form_comes_back_with_two_decimals(cents: int) -> None:
    amount = amount_from_text(amount_text(Decimal(cents).scaleb(-2)))
    assert amount.as_tuple().exponent == -2
    assert amount * 100 == cents


@pytest.mark.parametrize("amount", ["0", "-0.01", "0.001", "1.999", "100000000.00", "NaN", "Infinity", "1E-400"])
def test_an_amount_without_a_form_is_refused_and_never_rounded(amount: str) -> None:
    with pytest.raises(PrepaidAmountUnfit):
        amount_text(Decimal(amount))


def test_a_float_is_no_amount() -> None:
    with pytest.raises(TypeError):
        amount_text(19.99)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "1999", "00000019990", "000000199a", " 000001999", "٠٠٠٠٠٠١٩٩٩", "-000001999"])
def test_only_ten_digits_are_read(text: str) -> None:
    with pytest.raises(PrepaidAmountUnfit):
        amount_from_text(text)


def test_the_lines_are_added_up_without_service_fee() -> None:
    assert debit_amount([Decimal("19.99"), Decimal("8.29"), Decimal("0.00")]) == Decimal("28.28")


def test_an_invoice_of_nothing_has_nothing_to_debit() -> None:
    with pytest.raises(PrepaidAmountUnfit):
        debit_amount([])


@pytest.mark.parametrize(
    ("service_fees", "code"), [("1.50", "FULL"), ("1.05", "FULL"), ("1.00", "PART"), ("1", "PART"), ("0.00", "NONE")]
)
def test_the_fee_code_says_which_service_fee_the_mainframe_adds(service_fees: str, code: str) -> None:
    choice = fee_code(CODES, Decimal(service_fees))
    assert (choice.code, choice.note) == (code, "")


@pytest.mark.parametrize("service_fees", ["0.01", "1.49", "1.51", "3.00"])
def test_a_service_fee_that_the_mainframe_does_not_know_is_sent_as_the_full_one_and_noted(service_fees: str) -> None:
    choice = fee_code(CODES, Decimal(service_fees))
    assert choice.code == "FULL"
    assert service_fees in choice.note


def test_staff_have_a_code_of_their_own_whatever_the_service_fee() -> None:
    assert fee_code(CODES, Decimal("1.50"), is_staff=True, filing_types=["OTANN"]).code == "STAFF"
    assert fee_code(CODES, Decimal("0"), is_staff=True).code == "STAFF"


def test_filed_documents_are_charged_to_staff_as_to_everybody() -> None:
    assert fee_code(CODES, Decimal("1.50"), is_staff=True, filing_types=["CSBPDOC"]).code == "FULL"
    assert fee_code(CODES, Decimal("0"), is_staff=True, filing_types=["OTANN", "CSBPDOC"]).code == "NONE"


@pytest.mark.parametrize("service_fees", ["1.50", "1.00", "0"])
def test_a_product_without_the_fee_code_is_refused_before_anything_is_sent(service_fees: str) -> None:
    with pytest.raises(FeeCodeMissing):
        fee_code(FeeCodes(full=""), Decimal(service_fees))


def test_remarks_name_the_business_the_filings_and_the_person() -> None:
    assert remarks("CP0001234", ["OTANN", "OTADD"], "Ada") == "CP0001234(OTANN,OTADD)-Ada"


@given(st.text(max_size=40), st.lists(st.text(max_size=10), max_size=8), st.text(max_size=60))
def test_remarks_are_always_at_most_fifty_printable_characters(identifier: str, types: list[str], name: str) -> None:
    text = remarks(identifier, types, name)
    assert len(text) <= 50
    assert text.isascii()
    assert text.isprintable()
