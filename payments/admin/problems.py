"""What a problem code means, in the words that the sender of the request was told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getdoc

from kernel.errors import PaymentsiteError


@dataclass(frozen=True, slots=True)
class Meaning:
    """What went wrong, and what the sender should do."""

    sentence: str
    next_step: str


def meaning_of(code: str) -> Meaning | None:
    """None for no code, and for one that no error of this version has."""
    for kind in _kinds(PaymentsiteError):
        if kind.code == code:
            return Meaning((getdoc(kind) or kind.title).splitlines()[0], kind.next_step)
    return None


def _kinds(kind: type[PaymentsiteError]) -> Iterator[type[PaymentsiteError]]:
    # Depth last: of two kinds that share an inherited code, the more general one says what the code means.
    yield kind
    for special in kind.__subclasses__():
        yield from _kinds(special)
