"""The number of an invoice in the ledger: a prefix by mode and the id in eight digits."""

from __future__ import annotations

from typing import Any

import pytest

from invoices.numbers import invoice_number_of


@pytest.mark.parametrize(
    ("prefix", "invoice_id", "number"),
    [
        ("REG", 42, "REG00000042"),
        ("REGT", 99_999_999, "REGT99999999"),
        ("REGUT", 1, "REGUT00000001"),
        # More digits than eight are kept, never cut: two invoices would share a number.
        ("REG", 100_000_000, "REG100000000"),
    ],
)
def test_the_number_is_the_prefix_and_the_id(settings: Any, prefix: str, invoice_id: int, number: str) -> None:
    settings.INVOICE_NUMBER_PREFIX = prefix
    assert invoice_number_of(invoice_id) == number
