"""The way to the payment page and the way back: whole, signed, and refused when a letter is another."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.gateways.cardlink import (
    RETURN_NAMES,
    CardOrder,
    CardOrderInvalid,
    HashWrong,
    ItemRevenue,
    ReturnMalformed,
    RevenueLine,
    payment_link,
    revenue_lines,
    revenue_text,
    verify_return,
)
from tests.simulators.signing import joined, order_from, return_query

SECRET = "shared-by-both"
PAGE = "https://cards.example/v1/pay"
FEES = "112.32041.35301.1278.3200000.000000.0000"
TAX = "112.00001.00002.0003.0000004.000000.0000"
SERVICE = "112.32041.35301.1278.3200009.000000.0000"
LINES = (RevenueLine(1, FEES, Decimal("20.00")), RevenueLine(2, SERVICE, Decimal("1.50")))
ORDER = CardOrder(
    reference="REG00000042",
    transaction_id=UUID("c70b06a1-370b-4d07-9619-48f80897557c"),
    amount=Decimal("21.50"),
    currency="CAD",
    description="Annual report",
    revenue_lines=LINES,
    return_url="https://pay.example/card/return",
)
RETURNED = {
    "version": "1",
    "reference": "REG00000042",
    "transaction": "c70b06a1-370b-4d07-9619-48f80897557c",
    "status": "approved",
    "amount": "21.50",
    "currency": "CAD",
    "authorization": "A000001",
    "reason": "",
    "occurred_at": "2026-11-24T04:44:10Z",
}


def link(order: CardOrder = ORDER) -> str:
    return payment_link(order, page_url=PAGE, secret=SECRET.encode())


def returned(**changes: str) -> str:
    values = RETURNED | changes
    return return_query([(name, values[name]) for name in RETURN_NAMES], SECRET)


def read(query: str) -> object:
    return verify_return(query, secret=SECRET.encode())


def test_the_link_carries_the_order_and_a_hash_that_the_gateway_finds_right() -> None:
    url = urlsplit(link())
    assert f"{url.scheme}://{url.netloc}{url.path}" == PAGE
    assert order_from(url.query, SECRET) == {
        "version": "1",
        "reference": "REG00000042",
        "transaction": "c70b06a1-370b-4d07-9619-48f80897557c",
        "amount": "21.50",
        "currency": "CAD",
        "description": "Annual report",
        "revenue": f"1:{FEES}:20.00|2:{SERVICE}:1.50",
        "return_url": "https://pay.example/card/return",
    }


@given(st.text(st.characters(codec="utf-8"), max_size=100).filter(str.isprintable), st.integers(1, 999_999_999))
def test_any_order_arrives_at_the_gateway_as_it_was_meant(description: str, cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)
    lines = (RevenueLine(1, FEES, amount),)
    order = dataclasses.replace(ORDER, description=description, amount=amount, revenue_lines=lines)
    found = order_from(urlsplit(link(order)).query, SECRET)
    assert found["description"] == description
    assert Decimal(found["amount"]) == amount


@given(st.integers(0, 10_000), st.characters(codec="ascii", categories=["L", "N", "P"]))
def test_no_letter_of_a_link_can_be_changed(place: int, letter: str) -> None:
    query = urlsplit(link()).query
    at = place % len(query)
    other = query[:at] + letter + query[at + 1 :]
    if parse_qs(other, keep_blank_values=True) != parse_qs(query, keep_blank_values=True):
        with pytest.raises(ValueError):
            order_from(other, SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Decimal("21.49")},
        {"amount": Decimal("0.00"), "revenue_lines": ()},
        {"amount": Decimal("21.505"), "revenue_lines": (RevenueLine(1, FEES, Decimal("21.505")),)},
        {"revenue_lines": (dataclasses.replace(LINES[0], number=2), LINES[1])},
        {"revenue_lines": (LINES[0], dataclasses.replace(LINES[1], gl=""))},
        {"revenue_lines": (LINES[0], dataclasses.replace(LINES[1], gl="112|3:x:1.00"))},
        {"reference": ""},
        {"reference": "REG/1"},
        {"currency": "cad"},
        {"description": "x" * 101},
        {"description": "two\nlines"},
        {"return_url": "/card/return"},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "https://pay.example/return?a=1"},
        {"return_url": "https://pay.example/return#a"},
    ],
)
def test_an_order_that_is_not_right_in_itself_gets_no_link(changes: dict[str, object]) -> None:
    with pytest.raises(CardOrderInvalid):
        link(dataclasses.replace(ORDER, **changes))  # type: ignore[arg-type]


def test_each_line_of_an_invoice_brings_fee_its_tax_service_fee_and_its_tax_in_this_order() -> None:
    full = ItemRevenue(
        statutory=Decimal("160.00"),
        statutory_gl=FEES,
        statutory_gst=Decimal("8.00"),
        statutory_gst_gl=TAX,
        service=Decimal("1.50"),
        service_gl=SERVICE,
        service_gst=Decimal("0.08"),
        service_gst_gl=TAX,
    )
    only_fee = ItemRevenue(statutory=Decimal("20.00"), statutory_gl=FEES)
    lines = revenue_lines([full, ItemRevenue(), only_fee])
    assert revenue_text(lines) == f"1:{FEES}:160.00|2:{TAX}:8.00|3:{SERVICE}:1.50|4:{TAX}:0.08|5:{FEES}:20.00"
    assert sum(line.amount for line in lines) == Decimal("189.58")


def test_a_service_fee_on_a_line_without_fee_is_not_forgotten() -> None:
    lines = revenue_lines([ItemRevenue(service=Decimal("1.50"), service_gl=SERVICE)])
    assert lines == (RevenueLine(1, SERVICE, Decimal("1.50")),)


def test_an_amount_without_a_gl_code_is_refused() -> None:
    with pytest.raises(CardOrderInvalid):
        revenue_lines([ItemRevenue(statutory=Decimal("20.00"))])


def test_an_approved_return_says_what_was_paid() -> None:
    found = verify_return(returned(), secret=SECRET.encode())
    assert found.approved
    assert (found.reference, found.transaction_id) == (ORDER.reference, ORDER.transaction_id)
    assert (found.amount, found.currency) == (Decimal("21.50"), "CAD")
    assert (found.authorization, found.reason) == ("A000001", "")
    assert found.occurred_at == datetime(2026, 11, 24, 4, 44, 10, tzinfo=UTC)


def test_a_declined_return_says_why_and_its_hash_counts_as_much() -> None:
    query = returned(status="declined", authorization="", reason="The card was declined, é")
    found = verify_return(query, secret=SECRET.encode())
    assert not found.approved
    assert found.reason == "The card was declined, é"
    with pytest.raises(HashWrong):
        read(query.replace("status=declined", "status=approved"))
    with pytest.raises(HashWrong):
        read(query[:-1] + ("0" if query[-1] != "0" else "1"))


@given(
    st.fixed_dictionaries(
        {
            "reference": st.from_regex(r"[A-Z0-9]{1,50}", fullmatch=True),
            "transaction": st.uuids().map(str),
            "status": st.just("declined") | st.just("approved"),
            "amount": st.integers(0, 999_999_999).map(lambda cents: f"{Decimal(cents).scaleb(-2):.2f}"),
            "authorization": st.from_regex(r"[A-Za-z0-9._-]{1,50}", fullmatch=True),
            "reason": st.text(st.characters(codec="utf-8"), max_size=200).filter(str.isprintable),
            "occurred_at": st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(
                lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            ),
        }
    )
)
def test_any_return_that_the_gateway_can_send_is_read_as_it_was_meant(values: dict[str, str]) -> None:
    found = verify_return(returned(**values), secret=SECRET.encode())
    assert found.reference == values["reference"]
    assert found.transaction_id == UUID(values["transaction"])
    assert found.approved == (values["status"] == "approved")
    assert found.amount == Decimal(values["amount"])
    assert found.reason == values["reason"]


@given(st.integers(0, 10_000), st.characters(codec="ascii"))
def test_no_letter_of_a_return_can_be_changed(place: int, letter: str) -> None:
    query = returned()
    at = place % len(query)
    try:
        found = read(query[:at] + letter + query[at + 1 :])
    except (HashWrong, ReturnMalformed):
        return
    # Nothing but the same, or an encoding in the other case: %3A is %3a.
    assert (query[at].lower(), found) == (letter.lower(), read(query))


@given(st.text(max_size=300))
def test_whatever_comes_as_a_query_is_refused_and_breaks_nothing(query: str) -> None:
    with pytest.raises((HashWrong, ReturnMalformed)):
        read(query)


def test_the_order_of_the_parameters_means_nothing() -> None:
    assert read("&".join(reversed(returned().split("&")))) == read(returned())


@pytest.mark.parametrize("name", [*RETURN_NAMES, "hash"])
def test_a_missing_parameter_is_named(name: str) -> None:
    parts = [part for part in returned().split("&") if not part.startswith(f"{name}=")]
    with pytest.raises(ReturnMalformed, match=name):
        read("&".join(parts))


@pytest.mark.parametrize("name", [*RETURN_NAMES, "hash"])
def test_a_repeated_parameter_is_refused_even_with_the_same_value(name: str) -> None:
    query = returned()
    same = next(part for part in query.split("&") if part.startswith(f"{name}="))
    with pytest.raises(ReturnMalformed, match=name):
        read(f"{query}&{same}")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&",
        "hash",
        returned() + "&",
        "&" + returned(),
        returned() + "&extra=1",
        returned() + "&%68ash=1",
        returned().replace("reference=", "Reference="),
        returned().replace("reason=", "reason=%FF"),
        returned().replace("reason=", "reason=%ED%A0%80"),
        returned().replace("reason=", "reason=%C0%AF"),
        returned().replace("reason=", "reason=%00"),
        returned().replace("reason=", "reason=%0A"),
        returned().replace("reason=", "reason=%E2%80%AE"),
        returned().replace("reason=", "reason=%zz"),
        returned().replace("reason=", "reason=a+b"),
        returned().replace("reason=", "reason=é"),
        returned() + "x" * 5000,
    ],
)
def test_a_return_of_another_form_is_refused_before_its_hash_counts(query: str) -> None:
    with pytest.raises(ReturnMalformed):
        read(query)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "2"},
        {"reference": "reg1"},
        {"transaction": "C70B06A1-370B-4D07-9619-48F80897557C"},
        {"transaction": "42"},
        {"status": "APPROVED"},
        {"status": "approved", "authorization": ""},
        {"amount": "21.5"},
        {"amount": "-21.50"},
        {"amount": "021.50"},
        {"amount": "٢١.50"},
        {"amount": "1e3"},
        {"currency": "CAD "},
        {"occurred_at": "2026-02-30T00:00:00Z"},
        {"occurred_at": "2026-11-24T04:44:10"},
        {"reason": "x" * 201},
    ],
)
def test_what_is_signed_and_still_means_nothing_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ReturnMalformed):
        read(returned(**changes))


@pytest.mark.parametrize("digest", ["", "0" * 64, "A" * 64, "0" * 63, "é" * 32])
def test_another_hash_is_wrong_whatever_it_looks_like(digest: str) -> None:
    pairs = [(name, RETURNED[name]) for name in RETURN_NAMES]
    with pytest.raises(HashWrong):
        read(f"{joined(pairs)}&{joined([('hash', digest)])}")


def test_the_hash_of_a_link_does_not_pass_for_that_of_a_return() -> None:
    pairs = [(name, RETURNED[name]) for name in RETURN_NAMES]
    as_a_link = return_query(pairs, SECRET)
    digest = as_a_link.rpartition("=")[2]
    order = urlsplit(link()).query.rpartition("=")[2]
    assert digest != order
    with pytest.raises(HashWrong):
        read(f"{joined(pairs)}&hash={order}")


def test_a_semicolon_parts_nothing() -> None:
    with pytest.raises(HashWrong):
        read(returned(status="declined", authorization="").replace("amount=21.50", "amount=21.50;status=approved"))


def test_another_secret_is_another_gateway() -> None:
    with pytest.raises(HashWrong):
        verify_return(returned(), secret=b"of somebody else")
