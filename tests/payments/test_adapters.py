"""The formats of partners: what becomes of their bodies, and how each mistake is named."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.currencies import CURRENCY_EXPONENTS
from kernel.errors import Refused
from payments.adapters import ADAPTERS, AdapterContext
from payments.adapters.iso4217 import ALPHA_BY_NUMBER
from payments.adapters.issuing_bank import NotApproved, masked_card, nearest_moment
from payments.notices import NoticeInvalid, NoticeLimits, PaymentNotice, read_notice

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
CONTEXT = AdapterContext(AT, "partner", "CAD")
CARD = "4000001234567899"

PAIR: dict[str, Any] = {
    "request": {
        "mti": "0200",
        "de2": CARD,
        "de3": "500000",
        "de4": "000000012550",
        "de7": "1120194500",
        "de11": "004711",
        "de12": "114500",
        "de13": "1120",
        "de14": "2912",
        "de32": "00000012345",
        "de35": f"{CARD}=2912101",
        "de37": "632519004711",
        "de49": "124",
        "de102": "7700112233",
        "de103": "LN10000417",
        "de48_cif": "CIF00417",
    },
    "response": {"mti": "0210", "de4": "000000012550", "de11": "004711", "de37": "632519004711", "de39": "00"},
    "trace": "abc",
}
SALE: dict[str, Any] = {
    "sale": {"store_id": "S042", "receipt_no": "000917", "closed_at": "2026-11-20T11:45:00-08:00", "till": 3},
    "customer": {"loan_no": "LN10000417", "customer_no": "CIF00417", "language": "fr"},
    "totals": {"currency": "CAD", "loan_payment": "100.00", "tip": "5.00", "fee": Decimal("1.5"), "charged": "106.50"},
    "cashier": "C7",
}


def notice(adapter: str, body: Any, mapping: dict[str, Any] | None = None, *, at: datetime = AT) -> PaymentNotice:
    context = AdapterContext(at, "partner", "CAD")
    limits = NoticeLimits(
        at=at, max_age=at - datetime(2020, 1, 1, tzinfo=UTC), max_future=at - at, default_currency="CAD"
    )
    return read_notice(ADAPTERS[adapter].reader_for(mapping or {})(body, context), limits)


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one member replaced, or taken away when the value is None."""
    copied = copy.deepcopy(body)
    first, name = path.split(".")
    if value is None:
        del copied[first][name]
    else:
        copied[first][name] = value
    return copied


def wrong_fields(adapter: str, body: Any) -> list[tuple[str, str]]:
    with pytest.raises(NoticeInvalid) as caught:
        notice(adapter, body)
    return [(error.field, error.code) for error in caught.value.errors]


def test_an_approved_pair_becomes_a_payment() -> None:
    read = notice("issuing_bank", PAIR)
    assert read.reference_number == "00000012345-20261120-632519004711-004711"
    assert (read.loan_account_number, read.cif) == ("LN10000417", "CIF00417")
    assert (read.amount, read.currency) == (Decimal("125.50"), "CAD")
    assert read.payment_date == datetime(2026, 11, 20, 19, 45, tzinfo=UTC)


def test_no_card_data_and_no_whole_payer_account_is_kept() -> None:
    kept = json.dumps(notice("issuing_bank", PAIR).metadata, default=str)
    assert json.loads(kept)["card"] == "400000******7899"
    assert json.loads(kept)["request"]["de102"] == "…2233"
    assert json.loads(kept)["trace"] == "abc"
    for secret in (CARD, "2912101", "7700112233", '"de14"', '"de35"', '"de2"'):
        assert secret not in kept


@pytest.mark.parametrize(
    ("given_number", "kept"),
    [
        (CARD, "400000******7899"),
        ("4000 0012 3456 7899", "400000******7899"),
        ("400000******7899", "400000******7899"),
        ("40000012345", "unreadable"),
        ("not a card", "unreadable"),
    ],
)
def test_a_card_number_is_kept_as_its_first_six_and_last_four(given_number: str, kept: str) -> None:
    assert masked_card(given_number) == kept


@pytest.mark.parametrize("code", ["05", "51", "91", "0", ""])
def test_a_declined_pair_is_no_payment(code: str) -> None:
    with pytest.raises(NotApproved) as caught:
        notice("issuing_bank", changed(PAIR, "response.de39", code))
    assert (caught.value.status, caught.value.code) == (422, "not-approved")


@pytest.mark.parametrize(("element", "value"), [("de4", "000000012551"), ("de11", "004712"), ("de37", "632519004712")])
def test_a_response_that_belongs_to_another_request_is_refused(element: str, value: str) -> None:
    body = changed(PAIR, f"response.{element}", value)
    assert wrong_fields("issuing_bank", body) == [(f"response.{element}", "pair_disagrees")]


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("request.mti", "0400", "mti_unexpected"),
        ("response.mti", "0200", "mti_unexpected"),
        ("request.de3", "200000", "processing_code_unsupported"),
        ("request.de7", "1320194500", "element_malformed"),
        ("request.de7", None, "element_malformed"),
        ("request.de32", "12345678901234", "element_malformed"),
        ("request.de49", "000", "currency_unknown"),
        ("request.de49", 124, "element_malformed"),
        ("response.de39", None, "element_malformed"),
    ],
)
def test_each_wrong_element_is_named(path: str, value: Any, code: str) -> None:
    assert wrong_fields("issuing_bank", changed(PAIR, path, value)) == [(path, code)]


def test_a_pair_without_its_halves_is_refused() -> None:
    assert wrong_fields("issuing_bank", {}) == [("request", "not_an_object"), ("response", "not_an_object")]
    assert wrong_fields("issuing_bank", [PAIR]) == []


@pytest.mark.parametrize(
    ("at", "text", "year"),
    [
        (datetime(2027, 1, 1, 0, 5, tzinfo=UTC), "1231235959", 2026),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "0101000001", 2027),
        (datetime(2026, 7, 1, tzinfo=UTC), "0630120000", 2026),
        (datetime(2027, 3, 1, tzinfo=UTC), "0229120000", 2028),
    ],
)
def test_the_year_is_the_one_nearest_to_the_arrival(at: datetime, text: str, year: int) -> None:
    moment = nearest_moment(text, at)
    assert moment is not None
    assert moment.year == year


@pytest.mark.parametrize("text", ["0230120000", "1320194500", "1120250000", "0000000000"])
def test_a_day_that_no_year_has_is_no_moment(text: str) -> None:
    assert nearest_moment(text, AT) is None


@pytest.mark.parametrize(
    ("number", "minor", "amount", "currency"),
    [
        ("392", "000000000150", "150.00", "JPY"),
        ("048", "000000001230", "1.23", "BHD"),
        ("978", "000000000001", "0.01", "EUR"),
    ],
)
def test_minor_units_follow_the_currency(number: str, minor: str, amount: str, currency: str) -> None:
    body = changed(changed(PAIR, "request.de49", number), "request.de4", minor)
    read = notice("issuing_bank", changed(body, "response.de4", minor))
    assert (read.amount, read.currency) == (Decimal(amount), currency)


def test_every_active_currency_has_one_number() -> None:
    assert len(ALPHA_BY_NUMBER) == len(CURRENCY_EXPONENTS)
    assert set(ALPHA_BY_NUMBER.values()) == set(CURRENCY_EXPONENTS)
    assert all(len(number) == 3 and number.isdigit() for number in ALPHA_BY_NUMBER)
    assert [ALPHA_BY_NUMBER[number] for number in ("124", "840", "978", "203", "036")] == [
        "CAD",
        "USD",
        "EUR",
        "CZK",
        "AUD",
    ]


def test_a_sale_becomes_the_payment_to_the_loan_without_tip_and_fee() -> None:
    read = notice("merchant_pos", SALE)
    assert read.reference_number == "S042/000917"
    assert (read.amount, read.currency, read.loan_account_number, read.cif) == (
        Decimal("100.00"),
        "CAD",
        "LN10000417",
        "CIF00417",
    )
    assert read.payment_date == datetime(2026, 11, 20, 19, 45, tzinfo=UTC)
    assert read.metadata == {
        "sale": {"till": 3},
        "customer": {"language": "fr"},
        "totals": {"tip": "5.00", "fee": Decimal("1.5"), "charged": "106.50"},
        "cashier": "C7",
    }


def test_a_sale_without_tip_and_fee_adds_up_too() -> None:
    body = changed(changed(SALE, "totals.tip", None), "totals.fee", None)
    assert notice("merchant_pos", changed(body, "totals.charged", "100.00")).amount == Decimal("100.00")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("totals.charged", "106.51", [("totals.charged", "totals_disagree")]),
        ("totals.charged", None, [("totals.charged", "not-a-number")]),
        ("totals.tip", "-5.00", [("totals.tip", "not-positive")]),
        ("totals.currency", None, [("totals.currency", "currency_unknown")]),
        ("sale.receipt_no", " ", [("sale.receipt_no", "missing")]),
        ("sale.store_id", "a/b", [("sale.store_id", "missing")]),
        ("sale.closed_at", "2026-11-20 11:45", [("payment_date", "payment_date_not_a_moment")]),
        ("customer.loan_no", None, [("loan_account_number", "loan_account_number_missing")]),
    ],
)
def test_each_mistake_in_a_sale_is_named(path: str, value: Any, expected: list[tuple[str, str]]) -> None:
    assert wrong_fields("merchant_pos", changed(SALE, path, value)) == expected


def test_a_sale_without_its_parts_is_refused() -> None:
    assert wrong_fields("merchant_pos", {"sale": []}) == [
        ("sale", "not_an_object"),
        ("customer", "not_an_object"),
        ("totals", "not_an_object"),
    ]


def test_the_generic_format_passes_its_fields_on() -> None:
    body = {
        "reference_number": " R1 ",
        "loan_account_number": "007",
        "cif": "C",
        "amount": Decimal("1.10"),
        "payment_date": "2026-11-20T00:00:00Z",
        "extra": 1,
    }
    read = notice("generic", body)
    assert (read.reference_number, read.loan_account_number, read.metadata) == ("R1", "007", {"extra": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("adapter", [*ADAPTERS])
@given(body=JSON)
def test_no_body_breaks_a_format(adapter: str, body: Any) -> None:
    with pytest.raises(Refused):
        notice(adapter, body)


@pytest.mark.parametrize("adapter", ["issuing_bank", "merchant_pos"])
@given(
    part=JSON, name=st.sampled_from(["mti", "de3", "de4", "de7", "de39", "de49", "tip", "charged", "currency", "fee"])
)
def test_no_member_breaks_a_format(adapter: str, part: Any, name: str) -> None:
    body = copy.deepcopy(PAIR if adapter == "issuing_bank" else SALE)
    for member in body.values():
        if isinstance(member, dict):
            member[name] = part
    try:
        read = notice(adapter, body)
    except Refused:
        return
    assert read.amount > 0
