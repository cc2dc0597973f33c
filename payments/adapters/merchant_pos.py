"""A merchant's point of sale that takes loan payments at the counter: nested totals, tip and fee beside the payment.

Recorded is what goes to the loan; tip and fee stay with the merchant and are kept in metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kernel.errors import FieldError
from kernel.money import AmountInvalid, parse_amount
from payments.adapters.contract import Adapter, AdapterContext, BodyReader, object_at, refuse, wrong
from payments.notices import NoticeInvalid

TAKEN_FROM = {
    "sale": ("receipt_no", "store_id", "closed_at"),
    "customer": ("loan_no", "customer_no"),
    "totals": ("currency", "loan_payment", "tip", "fee", "charged"),
}


def _read(body: Any, context: AdapterContext) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise NoticeInvalid("The body must be one JSON object with sale, customer and totals.")
    errors: list[FieldError] = []
    sale = object_at(body, "sale", errors)
    customer = object_at(body, "customer", errors)
    totals = object_at(body, "totals", errors)
    refuse(errors)
    store, receipt = (_code(sale, name, errors) for name in ("store_id", "receipt_no"))
    _check_totals(totals, errors)
    refuse(errors)
    return {
        "reference_number": f"{store}/{receipt}",
        "loan_account_number": customer.get("loan_no"),
        "cif": customer.get("customer_no"),
        "amount": totals.get("loan_payment"),
        "currency": totals.get("currency"),
        "payment_date": sale.get("closed_at"),
        "metadata": _metadata(body, totals),
    }


def _code(sale: Mapping[str, Any], name: str, errors: list[FieldError]) -> str:
    value = sale.get(name)
    if not isinstance(value, str) or not value.strip() or "/" in value:
        errors.append(wrong(f"sale.{name}", "missing", f"Send sale.{name} as text without a slash."))
        return ""
    return value.strip()


def _check_totals(totals: Mapping[str, Any], errors: list[FieldError]) -> None:
    """loan_payment + tip + fee = charged, to the cent: a body that does not add up was read or built wrongly."""
    currency = totals.get("currency")
    if not isinstance(currency, str):
        errors.append(wrong("totals.currency", "currency_unknown", "Give an ISO 4217 code in capitals, such as CAD."))
        return
    amounts: dict[str, Decimal] = {}
    for name, value in (("loan_payment", None), ("tip", 0), ("fee", 0), ("charged", None)):
        try:
            amounts[name] = parse_amount(totals.get(name, value), currency, field=f"totals.{name}", zero_allowed=True)
        except AmountInvalid as error:
            errors.extend(error.errors)
    if len(amounts) == 4 and amounts["loan_payment"] + amounts["tip"] + amounts["fee"] != amounts["charged"]:
        errors.append(
            wrong("totals.charged", "totals_disagree", "charged must be the sum of loan_payment, tip and fee.")
        )


def _metadata(body: Mapping[str, Any], totals: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that did not become a field of the payment, in its place."""
    kept: dict[str, Any] = {}
    for name, member in body.items():
        taken = TAKEN_FROM.get(name)
        if taken is not None:
            member = {inner: value for inner, value in member.items() if inner not in taken}
        if member or taken is None:
            kept[name] = member
    extras = {name: totals[name] for name in ("tip", "fee", "charged") if name in totals}
    return kept | {"totals": kept.get("totals", {}) | extras}


def _reader_for(mapping: Mapping[str, Any]) -> BodyReader:
    return _read


ADAPTER = Adapter("merchant_pos", "Merchant point of sale", _reader_for)
