"""What exactly is approved: one text for one content, its hash, and how two contents differ."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernel import exactjson

ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the content that is not what it was."""

    field: str
    approved: str
    now: str

    def __str__(self) -> str:
        return f"{self.field}: {self.approved} was asked for, {self.now} is there now"


def canonical(content: Mapping[str, Any]) -> str:
    """The content as JSON with its names in order: equal contents give equal texts, numbers digit for digit."""
    return exactjson.dumps(_in_order(content))


def digest_of(text: str) -> str:
    """sha256 of the canonical text, 64 hexadecimal digits; the database checks it against the text."""
    return hashlib.sha256(text.encode()).hexdigest()


def differences(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What differs, field by field, in the order of the names."""
    return [
        Difference(name, _shown(approved, name), _shown(now, name))
        for name in sorted(set(approved) | set(now))
        if _shown(approved, name) != _shown(now, name)
    ]


def _shown(content: Mapping[str, Any], name: str) -> str:
    return canonical({"": content[name]})[5:-1] if name in content else ABSENT


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _in_order(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_in_order(member) for member in value]
    return value
