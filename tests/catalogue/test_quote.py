from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from catalogue.quote import (
    MOST_QUANTITY,
    AccountTerms,
    Caller,
    FeeNotVariable,
    FeeWaiverRefused,
    FilingLine,
    NothingAsked,
    OrderTooLarge,
    QuantityUnfit,
    Quote,
    QuotedLine,
    SchedulePrice,
    VariableFeeMissing,
    VariableFeeUnfit,
    quote,
)
from kernel.errors import PaymentsiteError
from tests.catalogue.priced import a_price

GST = Decimal("0.0500")
STAFF = Caller(is_staff=True)
CUSTOMER = Caller()


def quoted(
    *asked: tuple[FilingLine, SchedulePrice],
    terms: AccountTerms | None = None,
    caller: Caller = CUSTOMER,
    rate: Decimal = GST,
) -> Quote:
    return quote(asked, terms=terms or AccountTerms(), caller=caller, gst_rate=rate)


def one_line(price: SchedulePrice | None = None, *, caller: Caller = CUSTOMER, **line: Any) -> QuotedLine:
    return quoted((FilingLine("OTANN", **line), price or a_price()), caller=caller).lines[0]


def amounts(line: QuotedLine) -> tuple[str, str, str, str, str]:
    """Base, priority, future-effective, service fee, waived."""
    return tuple(
        str(amount)
        for amount in (
            line.base_fees,
            line.priority_fees,
            line.future_effective_fees,
            line.service_fees,
            line.waived_fees,
        )
    )  # type: ignore[return-value]


def refusal_of(error: type[PaymentsiteError], *asked: tuple[FilingLine, SchedulePrice], **how: Any) -> list[str]:
    with pytest.raises(error) as refused:
        quoted(*asked, **how)
    return [wrong.field for wrong in refused.value.errors]


def test_the_worked_example_comes_to_169_58() -> None:
    """Base 30.00 twice, priority 100.00, service fee 1.50, GST of 5 % on both."""
    result = quoted((FilingLine("OTANN", quantity=2, priority=True), a_price()))

    line = result.lines[0]
    assert amounts(line) == ("60.00", "100.00", "0.00", "1.50", "0.00")
    assert str(line.total) == "160.00"
    assert str(line.statutory_gst) == "8.00"
    assert str(line.service_gst) == "0.08"
    assert (str(result.total), str(result.service_fees), str(result.gst)) == ("169.58", "1.50", "8.08")


def test_a_single_filing_costs_its_base_and_our_fee() -> None:
    result = quoted((FilingLine("OTANN"), a_price(statutory_gst=False, service_gst=False)))

    assert (str(result.total), str(result.service_fees), str(result.gst)) == ("31.50", "1.50", "0.00")


def test_quantity_multiplies_the_base_and_nothing_else() -> None:
    line = one_line(quantity=3, priority=True, future_effective=True)

    assert amounts(line) == ("90.00", "100.00", "50.00", "1.50", "0.00")
    assert line.quantity == 3


def test_priority_and_later_effect_cost_nothing_where_the_price_has_no_such_fee() -> None:
    line = one_line(a_price(priority="0.00", future_effective="0.00"), priority=True, future_effective=True)

    assert amounts(line) == ("30.00", "0.00", "0.00", "1.50", "0.00")


def test_priority_and_later_effect_are_charged_only_when_asked_for() -> None:
    assert amounts(one_line()) == ("30.00", "0.00", "0.00", "1.50", "0.00")


def test_an_order_has_one_service_fee_and_its_first_line_keeps_it() -> None:
    result = quoted(
        (FilingLine("NIL"), a_price(filing_type="NIL", base="0.00")),
        (FilingLine("OTANN"), a_price(service="1.00")),
        (FilingLine("BCINC"), a_price(filing_type="BCINC", service="1.50")),
    )

    assert [str(line.service_fees) for line in result.lines] == ["0.00", "1.00", "0.00"]
    assert [str(line.service_gst) for line in result.lines] == ["0.00", "0.05", "0.00"]
    assert str(result.service_fees) == "1.00"


def test_a_service_fee_of_zero_does_not_use_up_the_one_of_the_order() -> None:
    result = quoted((FilingLine("A"), a_price(service="0.00")), (FilingLine("B"), a_price(service="1.50")))

    assert [str(line.service_fees) for line in result.lines] == ["0.00", "1.50"]


def test_what_costs_nothing_has_no_service_fee() -> None:
    assert amounts(one_line(a_price(base="0.00"), priority=True))[3] == "0.00"


def test_a_price_without_service_fee_gets_none_from_the_account_either() -> None:
    terms = AccountTerms(service_fee=Decimal("1.00"))

    assert quoted((FilingLine("OTANN"), a_price(service=None)), terms=terms).service_fees == 0


@pytest.mark.parametrize("caller", [STAFF, Caller(excludes_service_fee=True)])
def test_staff_and_systems_that_leave_it_out_pay_no_service_fee(caller: Caller) -> None:
    result = quoted((FilingLine("OTANN"), a_price()), caller=caller)

    assert (str(result.service_fees), str(result.total)) == ("0.00", "31.50")


def test_the_service_fee_of_the_account_takes_the_place_of_the_usual_one() -> None:
    terms = AccountTerms(service_fee=Decimal("1.00"))

    assert str(quoted((FilingLine("OTANN"), a_price()), terms=terms).service_fees) == "1.00"


def test_an_account_may_have_a_service_fee_of_zero() -> None:
    terms = AccountTerms(service_fee=Decimal("0.00"))

    assert str(quoted((FilingLine("OTANN"), a_price()), terms=terms).service_fees) == "0.00"


def test_an_account_that_is_spared_filing_fees_still_pays_the_service_fee_and_waives_nothing() -> None:
    terms = AccountTerms(applies_filing_fees=False)

    result = quoted((FilingLine("OTANN", quantity=2, priority=True, future_effective=True), a_price()), terms=terms)

    assert amounts(result.lines[0]) == ("0.00", "0.00", "0.00", "1.50", "0.00")
    assert str(result.lines[0].statutory_gst) == "0.00"
    assert str(result.total) == "1.58"


def test_waiving_takes_all_four_fees_away_and_says_how_much_was_waived() -> None:
    result = quoted(
        (FilingLine("OTANN", quantity=2, priority=True, future_effective=True, waive_fees=True), a_price()),
        caller=STAFF,
    )

    assert amounts(result.lines[0]) == ("0.00", "0.00", "0.00", "0.00", "210.00")
    assert (str(result.total), str(result.gst)) == ("0.00", "0.00")


def test_a_waived_line_leaves_the_service_fee_to_the_next() -> None:
    result = quoted(
        (FilingLine("A", waive_fees=True), a_price()),
        (FilingLine("B"), a_price()),
        caller=Caller(may_waive=True),
    )

    assert [str(line.service_fees) for line in result.lines] == ["0.00", "1.50"]
    assert [str(line.waived_fees) for line in result.lines] == ["30.00", "0.00"]


def test_nothing_is_waived_of_an_account_that_owes_no_filing_fees() -> None:
    result = quoted(
        (FilingLine("A", waive_fees=True), a_price()), terms=AccountTerms(applies_filing_fees=False), caller=STAFF
    )

    assert amounts(result.lines[0]) == ("0.00", "0.00", "0.00", "0.00", "0.00")


@pytest.mark.parametrize("caller", [CUSTOMER, Caller(excludes_service_fee=True)])
def test_only_staff_may_waive(caller: Caller) -> None:
    fields = refusal_of(
        FeeWaiverRefused,
        (FilingLine("A"), a_price()),
        (FilingLine("B", waive_fees=True), a_price()),
        caller=caller,
    )

    assert fields == ["filingTypes[1].waiveFees"]
    assert (FeeWaiverRefused.status, FeeWaiverRefused.code) == (403, "fee-override-not-allowed")


def test_a_waived_variable_line_stays_waived() -> None:
    """The fee of the caller comes before the waiver, which would otherwise be undone by it."""
    line = one_line(a_price(base="0.00", variable=True), caller=STAFF, fee=Decimal("75.25"), waive_fees=True)

    assert amounts(line) == ("0.00", "0.00", "0.00", "0.00", "75.25")


def test_a_variable_line_with_a_listed_price_of_zero_has_a_service_fee() -> None:
    line = one_line(a_price(base="0.00", variable=True), fee=Decimal("75.25"))

    assert amounts(line) == ("75.25", "0.00", "0.00", "1.50", "0.00")
    assert str(line.statutory_gst) == "3.76"


def test_a_variable_line_of_zero_has_no_service_fee_whatever_the_listed_price() -> None:
    assert amounts(one_line(a_price(variable=True), fee=Decimal(0))) == ("0.00", "0.00", "0.00", "0.00", "0.00")


def test_the_fee_of_a_variable_line_is_the_amount_of_one() -> None:
    assert str(one_line(a_price(variable=True), fee=Decimal("10.10"), quantity=3).base_fees) == "30.30"


def test_an_account_that_is_spared_filing_fees_is_spared_variable_ones_too() -> None:
    terms = AccountTerms(applies_filing_fees=False)

    result = quoted((FilingLine("A", fee=Decimal("75.25")), a_price(variable=True)), terms=terms)

    assert amounts(result.lines[0]) == ("0.00", "0.00", "0.00", "1.50", "0.00")


def test_a_variable_price_needs_a_fee() -> None:
    assert refusal_of(VariableFeeMissing, (FilingLine("A"), a_price()), (FilingLine("B"), a_price(variable=True))) == [
        "filingTypes[1].fee"
    ]


@pytest.mark.parametrize(
    ("fee", "sentence"),
    [
        ("-0.01", "fee is -0.01: it should be zero or more."),
        ("1.005", "fee has more decimals than the 2 that CAD is kept with."),
        ("10000000000000.00", "fee should be at most 9999999999999.99."),
        ("NaN", "fee is NaN: it should be a finite number."),
        ("Infinity", "fee is Infinity: it should be a finite number."),
    ],
)
def test_a_variable_fee_that_cannot_be_charged_is_refused(fee: str, sentence: str) -> None:
    with pytest.raises(VariableFeeUnfit) as refused:
        one_line(a_price(variable=True), fee=Decimal(fee))

    assert refused.value.detail == sentence
    assert [wrong.field for wrong in refused.value.errors] == ["filingTypes[0].fee"]


def test_a_float_is_a_defect_of_the_caller_and_never_an_amount() -> None:
    with pytest.raises(TypeError):
        one_line(a_price(variable=True), fee=19.99)


@pytest.mark.parametrize("fee", ["0", "30.00"])
def test_a_fixed_price_takes_no_fee_of_the_caller(fee: str) -> None:
    assert refusal_of(FeeNotVariable, (FilingLine("A", fee=Decimal(fee)), a_price())) == ["filingTypes[0].fee"]


@pytest.mark.parametrize("quantity", [0, -1, MOST_QUANTITY + 1, True, 1.0, "2", None])
def test_a_quantity_is_a_whole_number_from_1_to_999999(quantity: Any) -> None:
    fields = refusal_of(
        QuantityUnfit,
        (FilingLine("A"), a_price()),
        (FilingLine("B"), a_price()),
        (FilingLine("C", quantity=quantity), a_price()),
    )

    assert fields == ["filingTypes[2].quantity"]


@pytest.mark.parametrize(("quantity", "base"), [(1, "30.00"), (MOST_QUANTITY, "29999970.00")])
def test_both_ends_of_the_quantity_are_taken(quantity: int, base: str) -> None:
    assert str(one_line(quantity=quantity).base_fees) == base


def test_an_order_of_nothing_is_refused() -> None:
    assert refusal_of(NothingAsked) == ["filingTypes"]


def test_a_line_that_cannot_be_recorded_is_refused() -> None:
    huge = a_price(base="9999999999999.99")

    assert refusal_of(OrderTooLarge, (FilingLine("A", quantity=2), huge)) == ["filingTypes[0].quantity"]
    assert refusal_of(OrderTooLarge, (FilingLine("A"), huge)) == ["filingTypes"]


@pytest.mark.parametrize(
    ("base", "gst"),
    [("0.10", "0.00"), ("0.30", "0.02"), ("0.50", "0.02"), ("0.70", "0.04"), ("0.90", "0.04"), ("1.50", "0.08")],
)
def test_gst_rounds_half_cents_to_the_even_cent(base: str, gst: str) -> None:
    assert str(one_line(a_price(base=base, service=None)).statutory_gst) == gst


def test_gst_is_added_only_where_the_price_says_so() -> None:
    def gst_of(*, statutory: bool, ours: bool) -> tuple[str, str]:
        line = one_line(a_price(statutory_gst=statutory, service_gst=ours))
        return str(line.statutory_gst), str(line.service_gst)

    assert gst_of(statutory=True, ours=False) == ("1.50", "0.00")
    assert gst_of(statutory=False, ours=True) == ("0.00", "0.08")
    assert gst_of(statutory=False, ours=False) == ("0.00", "0.00")


def test_the_rate_is_the_one_of_the_day() -> None:
    assert str(quoted((FilingLine("A"), a_price()), rate=Decimal("0.1300")).lines[0].statutory_gst) == "3.90"
    assert str(quoted((FilingLine("A"), a_price()), rate=Decimal(0)).gst) == "0.00"


def test_there_is_never_pst() -> None:
    assert str(one_line(priority=True, quantity=7).pst) == "0.00"


def test_a_description_of_the_caller_takes_the_place_of_the_usual_one() -> None:
    assert one_line().description == "Annual report"
    assert one_line(description="Annual report 2026").description == "Annual report 2026"


def test_no_cent_is_lost_between_0_01_and_9999_99() -> None:
    """What a variable fee says is what is charged. Every seventh amount, which is every ending of two digits."""
    price = a_price(variable=True, service=None, statutory_gst=False)

    wrong = [
        cent
        for cent in range(1, 1_000_000, 7)
        if quoted((FilingLine("A", fee=Decimal(cent).scaleb(-2)), price)).total != Decimal(cent).scaleb(-2)
    ]

    assert wrong == []
