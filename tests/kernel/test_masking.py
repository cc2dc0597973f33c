from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.masking import MASK, masked_fields, masked_text


@pytest.mark.parametrize(
    "key",
    [
        "account",
        "cif",
        "loan_account_number",
        "account_number",
        "name",
        "holder_name",
        "customer_name",
        "body",
        "raw_body",
        "secret",
        "client_secret",
        "password",
        "X-Signature",
        "Authorization",
        "access_token",
        "card",
        "card_number",
        "cookie",
        "metadata",
    ],
)
def test_a_private_key_hides_its_value_at_any_depth(key: str) -> None:
    assert masked_fields({key: "x1"}) == {key: MASK}
    assert masked_fields({"outer": [{key: 7}]}) == {"outer": [{key: MASK}]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("payment_id", "0191b2c3-d4e5-7f00-8123-123456789012"),
        ("account_id", 7),
        ("token_count", 3),
        ("body_bytes", 512),
        ("channel", "bank-one"),
        ("reference", "PAY-20261105-000123"),
        ("duration_ms", 1.25),
        ("total", 99_999_999_999),
        ("password", None),
    ],
)
def test_ids_and_counts_are_left_readable(key: str, value: Any) -> None:
    assert masked_fields({key: value}) == {key: value}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("account 123456789012 refused", f"account {MASK} refused"),
        ("AB123456789012345", f"AB{MASK}"),
        ("eleven digits 12345678901", "eleven digits 12345678901"),
        ("card 4000 1234 5678 9010.", f"card {MASK}."),
        ("signed with whsec_Zm9vYmFy+/=", f"signed with {MASK}"),
        ("key ps_live_a1B2", f"key {MASK}"),
        ("stops_here", "stops_here"),
        ("Authorization: Bearer abc.def-1", f"Authorization: Bearer {MASK}"),
        ("redis://:hunter2@127.0.0.1/0", f"redis://:{MASK}@127.0.0.1/0"),
        ("2026-11-05 13:45:00 2026-11-06", "2026-11-05 13:45:00 2026-11-06"),
    ],
)
def test_the_shape_of_a_private_value_is_enough(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_the_values_of_a_failing_row_are_hidden_and_the_rest_of_the_error_stays() -> None:
    error = (
        'new row violates check constraint "amount_positive"\n'
        "DETAIL:  Failing row contains (1, Zoë Example, L-77).\nsecond line of a value\n"
        'HINT:  Look at the amount.\nCONTEXT:  COPY staging, line 3, column name: "Zoë"\n'
    )
    shown = masked_text(error)
    assert "Zoë" not in shown
    assert "second line" not in shown
    assert shown.startswith('new row violates check constraint "amount_positive"\nDETAIL: [masked]\nHINT:  Look at')


@given(st.text(), st.from_regex(r"[0-9]{12,30}", fullmatch=True), st.text())
def test_no_run_of_twelve_digits_gets_through(before: str, digits: str, after: str) -> None:
    assert digits not in masked_text(before + digits + after)


def test_a_number_of_twelve_digits_is_masked_as_a_number_too() -> None:
    assert masked_fields({"value": 123_456_789_012}) == {"value": MASK}
