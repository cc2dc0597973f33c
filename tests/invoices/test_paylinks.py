"""The link to an invoice's payment page is signed, the same all day, and ends with its last day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.signing import Signer
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from invoices.paylinks import SALT, PayLinkExpired, PayLinkInvalid, invoice_id_of, public_address, token_for
from tests.invoices.billed import AT


def test_a_link_leads_to_its_invoice_and_is_the_same_all_day(settings: Any) -> None:
    settings.PAYMENT_LINK_DAYS = 30
    token = token_for(4711, at=AT)
    assert invoice_id_of(token, at=AT) == 4711
    assert token_for(4711, at=AT + timedelta(hours=12, minutes=59)) == token
    assert token_for(4711, at=AT + timedelta(hours=13)) != token
    assert token_for(4712, at=AT) != token


def test_it_is_good_until_the_end_of_its_last_day_in_the_ledger_s_zone(settings: Any) -> None:
    settings.PAYMENT_LINK_DAYS = 2
    token = token_for(7, at=datetime(2024, 7, 1, 12, tzinfo=UTC))
    end = datetime(2024, 7, 4, 7, tzinfo=UTC)
    assert invoice_id_of(token, at=end - timedelta(microseconds=1)) == 7
    with pytest.raises(PayLinkExpired) as expired:
        invoice_id_of(token, at=end)
    assert expired.value.status == 410


@pytest.mark.parametrize(
    "content", [{}, {"i": 7}, {"u": 1}, {"i": "x", "u": 1}, {"i": None, "u": 1}, [7, 1], 7, "text", None]
)
def test_signed_content_of_another_form_is_none_of_ours(content: Any) -> None:
    with pytest.raises(PayLinkInvalid):
        invoice_id_of(Signer(salt=SALT).sign_object(content), at=AT)


def test_a_token_that_was_signed_for_something_else_is_none_of_ours() -> None:
    forged = Signer(salt="other").sign_object({"i": 7, "u": 2**40})
    with pytest.raises(PayLinkInvalid):
        invoice_id_of(forged, at=AT)


@given(place=st.integers(0, 200), letter=st.characters(codec="ascii", categories=["L", "N"]))
def test_no_letter_of_it_can_be_changed(place: int, letter: str) -> None:
    token = token_for(4711, at=AT)
    place %= len(token)
    altered = token[:place] + letter + token[place + 1 :]
    if altered != token:
        with pytest.raises(PayLinkInvalid):
            invoice_id_of(altered, at=AT)


@given(st.text(max_size=300))
def test_nonsense_is_none_of_ours(token: str) -> None:
    with pytest.raises(PayLinkInvalid):
        invoice_id_of(token, at=AT)


@pytest.mark.parametrize(
    ("public", "address"),
    [
        ("", "http://pay.test/pay/abc"),
        ("https://example.test/finance/", "https://example.test/finance/pay/abc"),
        ("https://example.test", "https://example.test/pay/abc"),
    ],
)
def test_the_address_is_below_the_public_one_or_else_where_the_request_came_to(
    settings: Any, public: str, address: str
) -> None:
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = public, ["pay.test"]
    request = RequestFactory().get("/api/v1/invoices/1", headers={"host": "pay.test"})
    assert public_address(request, "/pay/abc") == address
