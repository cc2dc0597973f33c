"""What no log line may hold, found by the key's name and by the shape of the text: accounts, names, bodies, secrets."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MASK = "[masked]"

# A key is masked when one of its words is among these, unless it is a number, an id or a count of ours.
PRIVATE_WORDS = frozenset(
    word
    for line in (
        "account accounts cif iban pan card cards cvv holder payer payee email phone address",
        "body payload content metadata raw args kwargs params",
        "secret secrets password passwords passphrase signature signatures authorization",
        "token tokens cookie cookies credential credentials apikey dsn",
    )
    for word in line.split()
)
PRIVATE_KEYS = frozenset({"name", "api_key", "private_key", "return_value", "result", "sql"})
NAMES_OF_PEOPLE = re.compile(r"(?:first|last|full|given|family|customer|client|person|user|owner|bank|trade)_name")
HARMLESS_ENDINGS = ("_id", "_ids", "_count", "_bytes", "_seconds", "_ms")

# Identifiers of ours come first, so that their digits are left alone.
SHAPES = re.compile(
    r"""
    (?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)
    | \b(?:whsec_|ps_)[A-Za-z0-9_+/=.-]+
    | (?P<scheme>\bBearer\s+)[A-Za-z0-9_+/=.~-]+
    | (?P<login>\b[a-z][a-z0-9+]*://[^\s:/@]*:)[^\s/@]+(?=@)
    | \d{12,} | \b\d{4}[ -]\d{4}[ -]\d{4}(?:[ -]\d{1,7})?\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What every one of the shapes holds: most texts do not, and a look for this costs a fraction.
MAYBE_PRIVATE = re.compile(r"\d{12}|\d{4}[ -]\d{4}[ -]|whsec_|ps_|bearer|://", re.IGNORECASE)
# PostgreSQL repeats the values of the failing row in these parts of its message.
DATABASE_VALUES = re.compile(r"\b(DETAIL|CONTEXT): .*?(?=\n\s*(?:HINT|CONTEXT|DETAIL|STATEMENT):|\n\n|\Z)", re.DOTALL)
SHORTEST_PRIVATE = 4


def masked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of one line with every private value masked, in nested values too."""
    return {key: MASK if _is_private(key, value) else _masked(value) for key, value in fields.items()}


def masked_text(text: str) -> str:
    """The text without runs of twelve digits or more, keys, bearer tokens, passwords in addresses and row values."""
    if len(text) < SHORTEST_PRIVATE:
        return text
    if "DETAIL:" in text or "CONTEXT:" in text:
        text = DATABASE_VALUES.sub(rf"\1: {MASK}", text)
    return SHAPES.sub(_replacement, text) if MAYBE_PRIVATE.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    if match["uuid"]:
        return match[0]
    return (match["scheme"] or match["login"] or "") + MASK


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, dict):
        return masked_fields(value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, int) and abs(value) >= 10**11 and not isinstance(value, bool):
        return MASK
    return value


def _is_private(key: str, value: Any) -> bool:
    return _names_something_private(key) and value is not None and value != "" and not isinstance(value, bool)


@lru_cache(maxsize=1024)
def _names_something_private(key: str) -> bool:
    lowered = key.lower().replace("-", "_")
    if lowered in PRIVATE_KEYS or NAMES_OF_PEOPLE.search(lowered):
        return True
    if lowered.endswith(HARMLESS_ENDINGS):
        return False
    return not PRIVATE_WORDS.isdisjoint(lowered.split("_"))
