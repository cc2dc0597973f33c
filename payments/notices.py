"""A payment notice: what an outside system says that it was paid, checked field by field before anything is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from kernel import exactjson
from kernel.currencies import CURRENCY_EXPONENTS
from kernel.errors import FieldError, Refused
from kernel.money import AmountInvalid, parse_amount
from payments.rules import (
    ACCOUNT_MAX_LENGTH,
    CHANNEL_MAX_LENGTH,
    INVISIBLE,
    METADATA_MAX_BYTES,
    REFERENCE_MAX_LENGTH,
    RULE_BY_CODE,
)

AROUND = " \t\r\n"
# No character of Unicode comes apart into more: a text that is longer by this factor stays too long in form NFC, and
# to put a whole body's length into it could take minutes.
LONGEST_DECOMPOSITION = 4
KNOWN_FIELDS = frozenset(
    {
        "reference_number",
        "loan_account_number",
        "cif",
        "amount",
        "currency",
        "payment_date",
        "payment_channel",
        "metadata",
    }
)
_invisible = re.compile("[\\x00]|" + INVISIBLE)
AMOUNT_CODES = {
    "not-positive": "amount_not_positive",
    "too-large": "amount_too_large",
    "too-many-decimals": "amount_too_precise",
}
# RFC 3339: date, time to the second at least, and always a zone.
_moment = re.compile(r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


class NoticeInvalid(Refused):
    """The payment notice cannot be recorded as it is."""

    code = "notice-invalid"
    title = "Payment notice cannot be recorded"
    next_step = "Correct the fields that `errors` names and send the notice again."


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """One payment as an outside system reports it, already checked. amount is positive, in units of currency."""

    reference_number: str
    loan_account_number: str
    cif: str
    amount: Decimal
    currency: str
    payment_date: datetime
    payment_channel: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def metadata_json(self) -> str | None:
        """The metadata as exact JSON; None when there is none."""
        return exactjson.dumps(self.metadata) if self.metadata else None

    @property
    def identity(self) -> tuple[str, str, Decimal, str, datetime]:
        """What must be the same for two notices under one reference to be the same payment."""
        return (self.loan_account_number, self.cif, self.amount, self.currency, self.payment_date)

    def as_body(self) -> dict[str, Any]:
        """The notice in the seed plan's format, the amount as text: what is kept of a correction."""
        return {
            "reference_number": self.reference_number,
            "loan_account_number": self.loan_account_number,
            "cif": self.cif,
            "amount": str(self.amount),
            "currency": self.currency,
            "payment_date": self.payment_date.isoformat(),
            "payment_channel": self.payment_channel,
        }


@dataclass(frozen=True, slots=True)
class NoticeLimits:
    """The window of payment dates around `at`, and the currency that is meant when none is given."""

    at: datetime
    max_age: timedelta
    max_future: timedelta
    default_currency: str


@dataclass(slots=True)
class _Reading:
    """Collects what is wrong while fields are read, so that a sender sees all of it at once."""

    body: Mapping[str, Any]
    errors: list[FieldError] = field(default_factory=list)

    def refuse(self, code: str, name: str | None = None, message: str | None = None) -> None:
        rule = RULE_BY_CODE.get(code)
        fallback = rule.message if rule else code
        self.errors.append(FieldError(name or (rule.field if rule else ""), code, message or fallback))


def read_notice(body: Any, limits: NoticeLimits) -> PaymentNotice:
    """A checked notice from a parsed JSON object in the seed plan's format; unknown fields are kept in metadata.

    Text is freed of white space around it and put into Unicode form NFC; case is kept. Raises NoticeInvalid with one
    entry for each thing that is wrong.
    """
    if not isinstance(body, Mapping):
        raise NoticeInvalid("The body must be one JSON object.")
    reading = _Reading(body)
    reference = _text(reading, "reference_number", REFERENCE_MAX_LENGTH, form="NFC")
    account = _text(reading, "loan_account_number", ACCOUNT_MAX_LENGTH)
    cif = _text(reading, "cif", ACCOUNT_MAX_LENGTH)
    currency = _currency(reading, limits)
    amount = _amount(reading, currency)
    paid_at = _payment_date(reading, limits)
    channel = _channel(reading)
    metadata = _metadata(reading)
    if reading.errors or amount is None or paid_at is None:
        wrong = ", ".join(dict.fromkeys(error.field for error in reading.errors))
        raise NoticeInvalid(f"The notice cannot be recorded: see {wrong}.", errors=tuple(reading.errors))
    return PaymentNotice(reference, account, cif, amount, currency, paid_at, channel, metadata)


def _text(reading: _Reading, name: str, max_length: int, *, form: Literal["NFC"] | None = None) -> str:
    """The field as it is kept: what is measured and looked through is the text in its normal form, as in rules.py."""
    value = reading.body.get(name)
    if value is not None and not isinstance(value, str):
        reading.refuse(f"{name}_not_text", name, "Send text in quotes: a number would lose its leading zeros.")
        return ""
    text = (value or "").strip(AROUND)
    if form is not None and len(text) <= max_length * LONGEST_DECOMPOSITION:
        text = unicodedata.normalize(form, text)
    if not text:
        reading.refuse(f"{name}_missing")
    elif len(text) > max_length:
        reading.refuse(f"{name}_too_long")
    elif _invisible.search(text):
        reading.refuse(f"{name}_invisible_character")
    return text


def _currency(reading: _Reading, limits: NoticeLimits) -> str:
    value = reading.body.get("currency")
    if value is None:
        return limits.default_currency
    if not isinstance(value, str) or value not in CURRENCY_EXPONENTS:
        reading.refuse("currency_unknown", "currency", "Give an ISO 4217 code in capitals, such as CAD.")
        return limits.default_currency
    return value


def _amount(reading: _Reading, currency: str) -> Decimal | None:
    value = reading.body.get("amount")
    try:
        return parse_amount(value, currency).quantize(Decimal("0.01"))
    except AmountInvalid as error:
        reading.refuse(AMOUNT_CODES.get(error.reason, "amount_not_a_number"))
        return None


def _payment_date(reading: _Reading, limits: NoticeLimits) -> datetime | None:
    value = reading.body.get("payment_date")
    if value is None:
        reading.refuse("payment_date_missing")
        return None
    paid_at = parse_moment(value) if isinstance(value, str) else None
    if paid_at is None:
        reading.refuse(
            "payment_date_not_a_moment",
            "payment_date",
            "Give date, time and zone as in RFC 3339, for example 2026-03-31T14:05:00Z or 2026-03-31T07:05:00-07:00.",
        )
    elif paid_at < limits.at - limits.max_age:
        reading.refuse("payment_date_too_old")
    elif paid_at > limits.at + limits.max_future:
        reading.refuse("payment_date_in_future")
    return paid_at


def parse_moment(text: str) -> datetime | None:
    """An RFC 3339 moment in UTC, cut to microseconds; None when it is not one. A zone is required."""
    match = _moment.fullmatch(text.strip(AROUND))
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = (fraction or ".0")[1:7].ljust(6, "0")
    offset = "+00:00" if zone in "Zz" else zone
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second}.{micro}{offset}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _channel(reading: _Reading) -> str | None:
    value = reading.body.get("payment_channel")
    if value is None:
        return None
    if not isinstance(value, str):
        reading.refuse("payment_channel_not_text", "payment_channel", "Send the channel as text.")
        return None
    channel = value.strip(AROUND)
    if len(channel) > CHANNEL_MAX_LENGTH:
        reading.refuse("payment_channel_too_long")
    elif _invisible.search(channel):
        reading.refuse(
            "payment_channel_invisible_character",
            "payment_channel",
            "The channel must not hold control or invisible characters.",
        )
    return channel or None


def _metadata(reading: _Reading) -> dict[str, Any] | None:
    value = reading.body.get("metadata")
    if value is not None and not isinstance(value, Mapping):
        reading.refuse("metadata_not_an_object")
        return None
    metadata = dict(value or {})
    for name, member in reading.body.items():
        if name not in KNOWN_FIELDS:
            # A field of that name inside metadata keeps its place; the one beside it gets another name, not lost.
            metadata[name if name not in metadata else f"body.{name}"] = member
    if metadata and len(exactjson.dumps(metadata).encode()) > METADATA_MAX_BYTES:
        reading.refuse("metadata_too_large")
    return metadata or None
