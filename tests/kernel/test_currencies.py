from __future__ import annotations

from collections import Counter

import pytest

from kernel.currencies import CURRENCY_EXPONENTS


@pytest.mark.parametrize(
    ("code", "exponent"),
    [("CAD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ISK", 0), ("HUF", 2), ("MRU", 2), ("UYW", 4), ("XCG", 2)],
)
def test_a_currency_has_the_decimals_that_the_standard_gives_it(code: str, exponent: int) -> None:
    assert CURRENCY_EXPONENTS[code] == exponent


@pytest.mark.parametrize("code", ["XXX", "XAU", "XTS", "HRK", "ANG", "BGN", "cad", ""])
def test_metals_test_codes_and_withdrawn_currencies_are_not_listed(code: str) -> None:
    assert code not in CURRENCY_EXPONENTS


def test_the_list_is_complete_and_every_code_is_three_capitals() -> None:
    assert Counter(CURRENCY_EXPONENTS.values()) == {0: 17, 2: 139, 3: 7, 4: 2}
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCY_EXPONENTS)
