"""An issuing bank's approved purchase or transfer: an ISO 8583 0200 request with its 0210 response, elements as JSON.

docs/webhooks.md lists the elements. Card data is never kept: the number only as its first six and last four digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from kernel.currencies import CURRENCY_EXPONENTS
from kernel.errors import FieldError, Refused
from payments.adapters.contract import Adapter, AdapterContext, BodyReader, object_at, refuse, wrong
from payments.adapters.iso4217 import ALPHA_BY_NUMBER
from payments.notices import NoticeInvalid

APPROVED = "00"
# The first two digits of element 3 that bring money to a loan: goods and services, deposit, transfer, payment.
MONEY_IN = frozenset({"00", "21", "40", "50"})
# Track data, expiry, security data, PIN blocks and chip data may not be stored after authorisation, by anybody.
NEVER_KEPT = frozenset({"de2", "de14", "de34", "de35", "de36", "de45", "de52", "de53", "de55"})
# The payer's own account at the issuer: only its end is kept.
PAYER_ACCOUNT = "de102"
MUST_AGREE = ("de4", "de11", "de37")

_SHAPES = {
    "de3": (re.compile(r"[0-9]{6}", re.ASCII), "6 digits"),
    "de4": (re.compile(r"[0-9]{12}", re.ASCII), "12 digits, in the smallest unit of the currency"),
    "de7": (re.compile(r"[0-9]{10}", re.ASCII), "MMDDhhmmss in UTC"),
    "de11": (re.compile(r"[0-9]{6}", re.ASCII), "6 digits"),
    "de12": (re.compile(r"[0-9]{6}", re.ASCII), "hhmmss"),
    "de13": (re.compile(r"[0-9]{4}", re.ASCII), "MMDD"),
    "de32": (re.compile(r"[0-9]{1,11}", re.ASCII), "1 to 11 digits"),
    "de37": (re.compile(r"[0-9A-Za-z ]{12}", re.ASCII), "12 letters, digits or spaces"),
    "de49": (re.compile(r"[0-9]{3}", re.ASCII), "3 digits of ISO 4217"),
}
_pan = re.compile(r"[0-9]{12,19}", re.ASCII)
_already_masked = re.compile(r"[0-9]{6}[*xX]{2,9}[0-9]{4}", re.ASCII)


class NotApproved(Refused):
    """The issuer did not approve this, so that nothing was paid."""

    code = "not-approved"
    title = "Not an approved payment"
    next_step = "Send only pairs whose response code (element 39) is 00; do not repeat this one."


def _read(body: Any, context: AdapterContext) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise NoticeInvalid("The body must be one JSON object with request and response.")
    errors: list[FieldError] = []
    request = object_at(body, "request", errors)
    response = object_at(body, "response", errors)
    refuse(errors)
    _check_pair(request, response, errors)
    refuse(errors)
    if response.get("de39") != APPROVED:
        raise NotApproved(f"The response code is {str(response.get('de39'))[:2]!r}, not {APPROVED}.")
    return _notice(body, request, response, context, errors)


def _check_pair(request: Mapping[str, Any], response: Mapping[str, Any], errors: list[FieldError]) -> None:
    for message, name, mti in ((request, "request", "0200"), (response, "response", "0210")):
        if message.get("mti") != mti:
            errors.append(wrong(f"{name}.mti", "mti_unexpected", f"The message type of the {name} is {mti}."))
    for element, (shape, description) in _SHAPES.items():
        value = request.get(element)
        if not isinstance(value, str) or not shape.fullmatch(value):
            errors.append(wrong(f"request.{element}", "element_malformed", f"Send as text: {description}."))
    for element in MUST_AGREE:
        if request.get(element) != response.get(element):
            errors.append(
                wrong(f"response.{element}", "pair_disagrees", f"The 0210 repeats {element} of its 0200 unchanged.")
            )
    if not isinstance(response.get("de39"), str):
        errors.append(wrong("response.de39", "element_malformed", "Send the response code as text of 2 characters."))


def _notice(
    body: Mapping[str, Any],
    request: Mapping[str, Any],
    response: Mapping[str, Any],
    context: AdapterContext,
    errors: list[FieldError],
) -> Mapping[str, Any]:
    if request["de3"][:2] not in MONEY_IN:
        errors.append(
            wrong("request.de3", "processing_code_unsupported", "Accepted are 00, 21, 40 and 50: money to the account.")
        )
    currency = ALPHA_BY_NUMBER.get(request["de49"], "")
    if not currency:
        errors.append(wrong("request.de49", "currency_unknown", "Send an active numeric code of ISO 4217."))
    sent_at = nearest_moment(request["de7"], context.at)
    if sent_at is None:
        errors.append(wrong("request.de7", "element_malformed", "There is no such date and time."))
    refuse(errors)
    sent_at = cast(datetime, sent_at)
    return {
        "reference_number": f"{request['de32']}-{sent_at:%Y%m%d}-{request['de37'].strip()}-{request['de11']}",
        "loan_account_number": request.get("de103"),
        "cif": request.get("de48_cif"),
        "amount": Decimal(request["de4"]).scaleb(-CURRENCY_EXPONENTS[currency]),
        "currency": currency,
        "payment_date": sent_at.isoformat(),
        "metadata": _metadata(body, request, response),
    }


def nearest_moment(month_to_second: str, at: datetime) -> datetime | None:
    """MMDDhhmmss in UTC with the year that brings it nearest to `at`; None when no year has such a day."""
    candidates = []
    for year in (at.year - 1, at.year, at.year + 1):
        try:
            moment = datetime.strptime(f"{year}{month_to_second}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
        candidates.append((abs(moment - at), moment))
    return min(candidates)[1] if candidates else None


def masked_card(number: Any) -> str:
    """The first six and last four digits; nothing of what does not look like a card number."""
    text = str(number).replace(" ", "")
    if not (_pan.fullmatch(text) or _already_masked.fullmatch(text)):
        return "unreadable"
    return f"{text[:6]}{'*' * (len(text) - 10)}{text[-4:]}"


def _metadata(body: Mapping[str, Any], request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: member for name, member in body.items() if name not in ("request", "response")}
    kept["request"] = _without_private(request)
    kept["response"] = _without_private(response)
    card = request.get("de2") or response.get("de2")
    if card:
        kept["card"] = masked_card(card)
    return kept


def _without_private(message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in message.items() if name.lower() not in NEVER_KEPT}
    if PAYER_ACCOUNT in kept:
        kept[PAYER_ACCOUNT] = f"…{str(kept[PAYER_ACCOUNT])[-4:]}"
    return kept


def _reader_for(mapping: Mapping[str, Any]) -> BodyReader:
    return _read


ADAPTER = Adapter("issuing_bank", "Issuing bank (ISO 8583 0200 and 0210)", _reader_for)
