"""Cents at their edges: every half cent of GST, the days on which a rate changes, and a quote that touches nothing."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given

from catalogue.models import FeeSchedule
from catalogue.pricing import quote_on
from catalogue.quote import AccountTerms, Caller, FilingLine, SchedulePrice, quote, rounded_tax
from tests.catalogue.priced import a_fee, a_price, a_rate, a_schedule
from tests.catalogue.test_quote import STAFF, quoted
from tests.catalogue.test_quote_properties import orders, terms_of_accounts

SEVEN = Decimal("0.0700")
CHANGES_ON = date(2026, 7, 1)


def test_every_half_cent_of_five_per_cent_goes_to_the_even_cent() -> None:
    """0.10, 0.30, 0.50, … 9,999.90: the tax of each ends in half a cent. Worked out in whole numbers."""
    wrong = []
    for amount_in_cents in range(10, 1_000_000, 20):
        half_cents = amount_in_cents // 10
        assert half_cents % 2 == 1
        below = half_cents // 2
        even = below if below % 2 == 0 else below + 1
        tax = rounded_tax(Decimal(amount_in_cents).scaleb(-2), Decimal("0.0500"))
        if tax != Decimal(even).scaleb(-2):
            wrong.append(amount_in_cents)
    assert wrong == []


@pytest.mark.parametrize(
    ("amount", "tax"),
    [
        ("0.09", "0.00"),
        ("0.10", "0.00"),
        ("0.11", "0.01"),
        ("0.29", "0.01"),
        ("0.30", "0.02"),
        ("0.31", "0.02"),
        ("0.49", "0.02"),
        ("0.50", "0.02"),
        ("0.51", "0.03"),
        ("1.50", "0.08"),
        ("160.00", "8.00"),
    ],
)
def test_around_half_a_cent_the_nearest_is_taken(amount: str, tax: str) -> None:
    assert str(rounded_tax(Decimal(amount), Decimal("0.0500"))) == tax


def test_each_line_and_each_kind_of_gst_is_rounded_by_itself() -> None:
    """Twice 0.30 and a service fee of 0.30 owe 0.02 each, although 0.90 together would owe 0.04."""
    price = a_price(base="0.30", service="0.30")

    result = quoted((FilingLine("A"), price), (FilingLine("B"), price))

    assert [str(line.statutory_gst) for line in result.lines] == ["0.02", "0.02"]
    assert [str(line.service_gst) for line in result.lines] == ["0.02", "0.00"]
    assert (str(result.gst), str(result.total)) == ("0.06", "0.96")


@pytest.mark.django_db
def test_the_day_of_the_order_says_which_rate_counts_to_the_last_day_and_from_the_first() -> None:
    a_rate(ends_on=CHANGES_ON - timedelta(days=1))
    a_rate("0.0700", starts_on=CHANGES_ON)
    a_schedule(service_fee_code=a_fee("TRF01", "1.50"), statutory_gst=True, service_gst=True)

    def charged(on: date) -> tuple[str, str]:
        result = quote_on("CP", [FilingLine("OTANN")], on=on, terms=AccountTerms(), caller=Caller())
        return str(result.gst), str(result.total)

    assert charged(CHANGES_ON - timedelta(days=1)) == ("1.58", "33.08")
    assert charged(CHANGES_ON) == ("2.20", "33.70")
    assert FeeSchedule.objects.count() == 1


def test_a_variable_fee_with_quantity_waiver_and_an_account_of_its_own_terms() -> None:
    price = a_price(variable=True, base="0.00")
    spared = AccountTerms(applies_filing_fees=False, service_fee=Decimal("1.05"))
    line = FilingLine("A", quantity=3, fee=Decimal("12.35"))
    waived = FilingLine("A", quantity=3, fee=Decimal("12.35"), waive_fees=True)

    def amounts(asked: FilingLine, terms: AccountTerms, caller: Caller) -> list[str]:
        result = quoted((asked, price), terms=terms, caller=caller)
        [only] = result.lines
        return [str(amount) for amount in (only.total, only.service_fees, result.gst, only.waived_fees, result.total)]

    assert amounts(line, AccountTerms(), Caller()) == ["37.05", "1.50", "1.93", "0.00", "40.48"]
    assert amounts(line, spared, Caller()) == ["0.00", "1.05", "0.05", "0.00", "1.10"]
    assert amounts(line, AccountTerms(), STAFF) == ["37.05", "0.00", "1.85", "0.00", "38.90"]
    assert amounts(waived, AccountTerms(), STAFF) == ["0.00", "0.00", "0.00", "37.05", "0.00"]


@given(orders(), terms_of_accounts)
def test_a_quote_is_a_function_of_what_it_is_given_and_changes_none_of_it(
    asked: list[tuple[FilingLine, SchedulePrice]], terms: AccountTerms
) -> None:
    caller = Caller(may_waive=True)
    before = copy.deepcopy((asked, terms, caller))

    first = quote(asked, terms=terms, caller=caller, gst_rate=SEVEN)
    second = quote(asked, terms=terms, caller=caller, gst_rate=SEVEN)

    assert first == second
    assert (asked, terms, caller) == before


@given(orders())
def test_one_more_line_never_makes_an_order_cheaper(asked: list[tuple[FilingLine, SchedulePrice]]) -> None:
    caller = Caller(may_waive=True)
    totals = [quoted(*asked[:number], caller=caller).total for number in range(1, len(asked) + 1)]

    assert totals == sorted(totals)
