"""What holds of every order, whatever is asked for."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalogue.quote import MOST_QUANTITY, AccountTerms, Caller, FilingLine, Quote, SchedulePrice
from tests.catalogue.priced import a_price
from tests.catalogue.test_quote import quoted

cents = st.integers(min_value=0, max_value=999_999).map(lambda number: Decimal(number) / 100)
prices = st.builds(
    lambda base, priority, future, ours, variable, statutory, service_gst: a_price(
        base=base,
        priority=priority,
        future_effective=future,
        service=ours,
        variable=variable,
        statutory_gst=statutory,
        service_gst=service_gst,
    ),
    cents,
    cents,
    cents,
    st.none() | cents,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@st.composite
def orders(draw: st.DrawFn) -> list[tuple[FilingLine, SchedulePrice]]:
    asked = []
    for position in range(draw(st.integers(min_value=1, max_value=6))):
        price = draw(prices)
        line = FilingLine(
            f"F{position}",
            quantity=draw(st.integers(min_value=1, max_value=MOST_QUANTITY)),
            priority=draw(st.booleans()),
            future_effective=draw(st.booleans()),
            waive_fees=draw(st.booleans()),
            fee=draw(cents) if price.variable else None,
        )
        asked.append((line, price))
    return asked


terms_of_accounts = st.builds(AccountTerms, st.booleans(), st.none() | cents)
callers = st.builds(Caller, st.booleans(), st.booleans(), st.just(True))


@given(orders(), terms_of_accounts, callers)
def test_the_total_is_the_sum_of_its_parts_and_nothing_is_negative(
    asked: list[tuple[FilingLine, SchedulePrice]], terms: AccountTerms, caller: Caller
) -> None:
    result = quoted(*asked, terms=terms, caller=caller)

    for line in result.lines:
        assert line.total == line.base_fees + line.priority_fees + line.future_effective_fees
        parts = (line.base_fees, line.priority_fees, line.future_effective_fees, line.service_fees, line.waived_fees)
        assert all(amount >= 0 for amount in (*parts, line.statutory_gst, line.service_gst))
        assert line.waived_fees == 0 or line.total == 0
    assert result.service_fees == sum(line.service_fees for line in result.lines)
    assert result.gst == sum(line.statutory_gst + line.service_gst for line in result.lines)
    assert result.total == sum(line.total for line in result.lines) + result.service_fees + result.gst
    assert sum(line.service_fees > 0 for line in result.lines) <= 1
    assert result.total == result.total.quantize(Decimal("0.01"))


@given(orders(), terms_of_accounts, callers, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_only_who_bears_the_service_fee(
    asked: list[tuple[FilingLine, SchedulePrice]], terms: AccountTerms, caller: Caller, chance: Any
) -> None:
    shuffled = list(asked)
    chance.shuffle(shuffled)

    def without_ours(result: Quote) -> list[tuple[object, ...]]:
        return sorted(
            (line.base_fees, line.priority_fees, line.future_effective_fees, line.statutory_gst, line.waived_fees)
            for line in result.lines
        )

    first = quoted(*asked, terms=terms, caller=caller)
    second = quoted(*shuffled, terms=terms, caller=caller)
    assert without_ours(first) == without_ours(second)
    assert (first.service_fees > 0) == (second.service_fees > 0)


@given(cents, st.sampled_from([Decimal("0.0500"), Decimal("0.0700"), Decimal("0.1250"), Decimal("0.0001")]))
def test_gst_is_the_exact_product_rounded_half_to_even(base: Decimal, rate: Decimal) -> None:
    result = quoted((FilingLine("A"), a_price(base=base, service=None)), rate=rate)

    assert result.gst == (base * rate).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
