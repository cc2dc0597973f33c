"""The signed links between the card gateway's payment page and us: the way there and the way back. Pure.

Both are query strings with a hash: HMAC-SHA256, keyed by the shared secret, in lower-case hex, over `pay` or `return`,
a line feed, and the other parameters in the order of PAY_NAMES or RETURN_NAMES, each `name=value` with `&` between,
values percent-encoded as RFC 3986 says (UTF-8; letters, digits and -._~ left as they are).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote, unquote_to_bytes, urlsplit
from uuid import UUID

from kernel.errors import FieldError, Refused

VERSION = "1"
PAY_NAMES = (
    "version",
    "reference",
    "transaction",
    "amount",
    "currency",
    "description",
    "revenue",
    "return_url",
)
RETURN_NAMES = (
    "version",
    "reference",
    "transaction",
    "status",
    "amount",
    "currency",
    "authorization",
    "reason",
    "occurred_at",
)
LONGEST_QUERY = 4000
LONGEST_DESCRIPTION = 100
LARGEST_AMOUNT = Decimal("9999999.99")

_reference = re.compile(r"[A-Z0-9]{1,50}", re.ASCII)
_gl = re.compile(r"[A-Za-z0-9.]{1,100}", re.ASCII)
_currency = re.compile(r"[A-Z]{3}", re.ASCII)
_amount = re.compile(r"(?:0|[1-9][0-9]{0,6})\.[0-9]{2}", re.ASCII)
_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_moment = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_hash = re.compile(r"[0-9a-f]{64}", re.ASCII)
_token = re.compile(r"[A-Za-z0-9._-]{0,50}", re.ASCII)
_broken_percent = re.compile(r"%(?![0-9A-Fa-f]{2})")


class CardOrderInvalid(Refused):
    """The card gateway cannot be asked for this payment."""

    code = "card-order-invalid"
    title = "Card order invalid"
    next_step = "Correct what the message names; nothing was sent."


class ReturnMalformed(Refused):
    """The return from the payment page does not have the form that the card gateway sends."""

    status = 400
    code = "card-return-malformed"
    title = "Return from the payment page malformed"
    next_step = "Open the payment page again from the invoice."


class HashWrong(Refused):
    """The return from the payment page was not signed by the card gateway, or was altered on the way."""

    status = 400
    code = "card-return-hash-wrong"
    title = "Return from the payment page not genuine"
    next_step = "Open the invoice again: what was really paid is asked of the card gateway itself."


@dataclass(frozen=True, slots=True)
class RevenueLine:
    """An amount of an order and the GL code (dotted) that it is booked to; numbered from 1."""

    number: int
    gl: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ItemRevenue:
    """What one line of an invoice brings, in dollars, and the GL codes (dotted) that it is booked to."""

    statutory: Decimal = Decimal(0)
    statutory_gl: str = ""
    statutory_gst: Decimal = Decimal(0)
    statutory_gst_gl: str = ""
    service: Decimal = Decimal(0)
    service_gl: str = ""
    service_gst: Decimal = Decimal(0)
    service_gst_gl: str = ""


@dataclass(frozen=True, slots=True)
class CardOrder:
    """One attempt to pay an invoice by card. `reference` is the invoice's number, such as REG00000042.

    `return_url` is absolute, without query and fragment: the gateway adds its own query.
    """

    reference: str
    transaction_id: UUID
    amount: Decimal
    currency: str
    description: str
    revenue_lines: tuple[RevenueLine, ...]
    return_url: str


@dataclass(frozen=True, slots=True)
class CardReturn:
    """What the gateway said in the payer's return, its hash found right.

    The amount is what was charged; whoever reads it compares it with the order, and may ask `find_order` besides.
    """

    transaction_id: UUID
    reference: str
    approved: bool
    amount: Decimal
    currency: str
    authorization: str
    reason: str
    occurred_at: datetime


def revenue_lines(items: Iterable[ItemRevenue]) -> tuple[RevenueLine, ...]:
    """Numbered lines: of each item statutory, statutory GST, service, service GST; those of nothing are left out.

    Raises CardOrderInvalid where an amount has no GL code.
    """
    parts = [
        part
        for item in items
        for part in (
            (item.statutory_gl, item.statutory),
            (item.statutory_gst_gl, item.statutory_gst),
            (item.service_gl, item.service),
            (item.service_gst_gl, item.service_gst),
        )
        if part[1] != 0
    ]
    lines = tuple(RevenueLine(number, gl, amount) for number, (gl, amount) in enumerate(parts, start=1))
    _check_lines(lines)
    return lines


def revenue_text(lines: Sequence[RevenueLine]) -> str:
    """`n:GL:amount` of each line, with `|` between."""
    return "|".join(f"{line.number}:{line.gl}:{line.amount:.2f}" for line in lines)


def payment_link(order: CardOrder, *, page_url: str, secret: bytes) -> str:
    """The payment page's address with all parameters of the order and their hash. Raises CardOrderInvalid."""
    _check_order(order)
    signed = canonical(
        PAY_NAMES,
        {
            "version": VERSION,
            "reference": order.reference,
            "transaction": str(order.transaction_id),
            "amount": f"{order.amount:.2f}",
            "currency": order.currency,
            "description": order.description,
            "revenue": revenue_text(order.revenue_lines),
            "return_url": order.return_url,
        },
    )
    return f"{page_url}?{signed}&hash={link_hash('pay', signed, secret=secret)}"


def verify_return(query: str, *, secret: bytes) -> CardReturn:
    """What the gateway says in this query string (without the `?`), whichever way it decided.

    Raises ReturnMalformed for parameters that are missing, unknown, repeated or not in their form, and HashWrong. The
    hash is compared before any value is believed, of declined payments too.
    """
    values = _parameters(query)
    given = values.pop("hash")
    signed = canonical(RETURN_NAMES, values)
    if not _hash.fullmatch(given) or not hmac.compare_digest(given, link_hash("return", signed, secret=secret)):
        raise HashWrong
    _check_return(values)
    approved = values["status"] == "approved"
    if approved and not values["authorization"]:
        raise _malformed("authorization", "An approved payment should have an authorization.")
    return CardReturn(
        transaction_id=UUID(values["transaction"]),
        reference=values["reference"],
        approved=approved,
        amount=Decimal(values["amount"]),
        currency=values["currency"],
        authorization=values["authorization"],
        reason=values["reason"],
        occurred_at=_moment_from(values["occurred_at"]),
    )


def canonical(names: Sequence[str], values: Mapping[str, str]) -> str:
    """The parameters in this order, as they are hashed and sent."""
    return "&".join(f"{name}={quote(values[name], safe='')}" for name in names)


def link_hash(direction: str, signed: str, *, secret: bytes) -> str:
    """The hash of a link: `direction` is pay or return, so that neither passes for the other."""
    return hmac.new(secret, f"{direction}\n{signed}".encode(), hashlib.sha256).hexdigest()


def _parameters(query: str) -> dict[str, str]:
    """Each parameter once, decoded, the hash among them. Raises ReturnMalformed."""
    if len(query) > LONGEST_QUERY or not query.isascii() or not query.isprintable():
        raise ReturnMalformed(f"The query should be printable ASCII of at most {LONGEST_QUERY} characters.")
    values: dict[str, str] = {}
    for part in query.split("&"):
        name, has_value, encoded = part.partition("=")
        if not has_value or name not in (*RETURN_NAMES, "hash"):
            raise _malformed(name[:50], "This parameter is none that the gateway sends.")
        if name in values:
            raise _malformed(name, "This parameter stands more than once.")
        values[name] = _decoded(name, encoded)
    for name in (*RETURN_NAMES, "hash"):
        if name not in values:
            raise _malformed(name, "This parameter is missing.")
    return values


def _decoded(name: str, encoded: str) -> str:
    # A plus is a blank in forms only; the gateway never sends one that is not encoded.
    if "+" in encoded or _broken_percent.search(encoded):
        raise _malformed(name, "This parameter should be percent-encoded as RFC 3986 says.")
    try:
        value = unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed(name, "This parameter is not UTF-8.") from None
    if not value.isprintable():
        raise _malformed(name, "This parameter holds a character that is not printable.")
    return value


def _check_return(values: Mapping[str, str]) -> None:
    forms = {
        "version": re.compile(re.escape(VERSION)),
        "reference": _reference,
        "transaction": _uuid,
        "status": re.compile("approved|declined"),
        "amount": _amount,
        "currency": _currency,
        "authorization": _token,
        "reason": re.compile(r".{0,200}"),
        "occurred_at": _moment,
    }
    for name, form in forms.items():
        if not form.fullmatch(values[name]):
            raise _malformed(name, "This parameter does not have its form.")


def _moment_from(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _malformed("occurred_at", "There is no such moment.") from None


def _malformed(name: str, message: str) -> ReturnMalformed:
    return ReturnMalformed(f"{name}: {message}", errors=(FieldError(name, "malformed", message),))


def _check_order(order: CardOrder) -> None:
    if not _reference.fullmatch(order.reference):
        raise CardOrderInvalid("The reference should be capital letters and digits, at most 50.")
    if not _currency.fullmatch(order.currency):
        raise CardOrderInvalid("The currency should be an ISO 4217 code, such as CAD.")
    if len(order.description) > LONGEST_DESCRIPTION or not order.description.isprintable():
        raise CardOrderInvalid(f"The description should be at most {LONGEST_DESCRIPTION} printable characters.")
    url = urlsplit(order.return_url)
    if url.scheme not in ("http", "https") or not url.netloc or url.query or url.fragment:
        raise CardOrderInvalid("The return address should be absolute, without query and fragment.")
    _check_amount(order.amount)
    _check_lines(order.revenue_lines)
    if sum((line.amount for line in order.revenue_lines), Decimal(0)) != order.amount:
        raise CardOrderInvalid("The revenue lines should make up the amount.")


def _check_lines(lines: Sequence[RevenueLine]) -> None:
    for place, line in enumerate(lines, start=1):
        if line.number != place:
            raise CardOrderInvalid("The revenue lines should be numbered from 1.")
        if not _gl.fullmatch(line.gl):
            raise CardOrderInvalid(f"Revenue line {line.number} has no usable GL code.")
        _check_amount(line.amount)


def _check_amount(amount: Decimal) -> None:
    if not isinstance(amount, Decimal):
        raise TypeError(f"An amount is a Decimal, not a value of the type {type(amount).__name__}.")
    if not amount.is_finite() or not 0 < amount <= LARGEST_AMOUNT or amount != round(amount, 2):
        raise CardOrderInvalid(f"{amount} should be whole cents from 0.01 to {LARGEST_AMOUNT}.")
