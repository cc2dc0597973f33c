"""JSON whose numbers stay exact: decimals come in as Decimal and go out digit for digit, never through a float."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring as _quoted
from typing import Any, NoReturn
from uuid import UUID

from kernel.errors import Refused

MAX_DEPTH = 20
# PostgreSQL's numeric ends at 131072 digits; nothing that a payment notice means comes near a hundred.
MAX_DIGITS = 100
MAX_EXPONENT = 100


class JsonInvalid(Refused):
    """The body is not JSON that can be kept exactly."""

    status = 400
    code = "json-invalid"
    title = "Body is not usable JSON"
    next_step = "Send one JSON object in UTF-8 (RFC 8259), without repeated names."


def loads(raw: bytes | str, *, max_depth: int = MAX_DEPTH) -> Any:
    """Parses JSON: numbers with a point or exponent become Decimal, others int. Raises JsonInvalid.

    Refused besides wrong syntax: repeated names in one object (RFC 8259 leaves their meaning open), NaN and Infinity,
    numbers of over 100 digits, nesting deeper than max_depth, NUL and unpaired surrogates (PostgreSQL stores neither).
    """
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    except UnicodeDecodeError as error:
        raise JsonInvalid(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    try:
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repeats,
        )
    except json.JSONDecodeError as error:
        raise JsonInvalid(f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}.") from None
    except RecursionError:
        raise JsonInvalid(f"The body is nested deeper than {max_depth} levels.") from None
    _check(value, max_depth)
    return value


def dumps(value: Any) -> str:
    """Writes JSON with Decimal as an exact number. Raises TypeError for what JSON has no form for, a float included."""
    return _written(value)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        # The exponent itself is beyond what Decimal counts with.
        raise JsonInvalid(f"A number has more than {MAX_DIGITS} digits.") from None
    # A zero has its exponent too, and PostgreSQL reads it.
    if len(number.as_tuple().digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_EXPONENT:
        raise JsonInvalid(f"A number has more than {MAX_DIGITS} digits.")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise JsonInvalid(f"A number has more than {MAX_DIGITS} digits.")
    return int(text)


def _refuse_constant(text: str) -> NoReturn:
    raise JsonInvalid(f"{text} is not a JSON number.")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        # Counted once for all: to count for each name would take minutes for a body full of names.
        counts = Counter(name for name, _ in pairs)
        repeated = next(name for name, times in counts.items() if times > 1)
        raise JsonInvalid(f"The name {repeated[:100]!r} stands more than once in one object.")
    return members


def _check(value: Any, levels_left: int) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise JsonInvalid("A text holds the NUL character, which cannot be stored.")
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise JsonInvalid("A text holds half of a surrogate pair, which is not Unicode.")
    elif isinstance(value, dict | list):
        if levels_left == 0:
            raise JsonInvalid(f"The body is nested deeper than {MAX_DEPTH} levels.")
        members = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        for member in members:
            _check(member, levels_left - 1)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError(f"{value} has no form in JSON.")
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join([f"{_quoted(str(name))}: {_written(member)}" for name, member in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([_written(member) for member in value]) + "]"
    if isinstance(value, datetime):
        return _quoted(value.astimezone(UTC).isoformat())
    if isinstance(value, date | UUID):
        return _quoted(str(value))
    raise TypeError(f"{type(value).__name__} has no exact form in JSON.")
