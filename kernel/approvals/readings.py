"""How people read the contents of requests: an app says it for its kinds, and its words stand in place of the codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kernel.adminsite import Related
from kernel.approvals.registry import Content


@dataclass(frozen=True, slots=True)
class Reading:
    """Of one kind: `words` says a field's value as a person reads it, `related` which records the content is about."""

    words: Callable[[str, Any], Any]
    related: Callable[[Content], Sequence[Related]]


_readings: dict[str, Reading] = {}


def register_reading(kind: str, reading: Reading) -> None:
    """Adds the kind's reading; the same kind again takes the place of the earlier one."""
    _readings[kind] = reading


def find_reading(kind: str) -> Reading | None:
    """None for a kind whose fields are shown as they are."""
    return _readings.get(kind)
