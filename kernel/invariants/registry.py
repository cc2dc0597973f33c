"""Which invariants there are. An app registers its own when it is ready; this module knows no database."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from kernel.errors import NotFound


class UnknownInvariant(NotFound):
    """There is no invariant of this name."""

    code = "unknown-invariant"
    next_step = "Run `manage.py verify` without --only: it prints every name."


@dataclass(frozen=True, slots=True)
class Breach:
    """One record that breaks an invariant, and how, in a sentence for a person."""

    id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a check saw: records looked at, how many break it, the first of those, and how many it cannot judge."""

    looked_at: int
    broken: int = 0
    breaches: tuple[Breach, ...] = ()
    unresolved: int = 0


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence that must always be true, and how to look whether it is.

    `look(at)` only reads, in one statement or more of the caller's snapshot. A quick one is bounded, so that it can run
    every few minutes; the others read whole tables and run at night.
    """

    name: str
    sentence: str
    look: Callable[[datetime], Look]
    is_quick: bool = False


_invariants: dict[str, Invariant] = {}


def register(invariant: Invariant) -> None:
    """Adds an invariant. Called once per process, when its app is ready."""
    _invariants[invariant.name] = invariant


def invariants(*, only: Collection[str] = (), quick: bool = False) -> tuple[Invariant, ...]:
    """Those of these names, or all, in the order of registration; with `quick` the quick ones alone.

    Raises UnknownInvariant.
    """
    if unknown := sorted(set(only) - set(_invariants)):
        raise UnknownInvariant(f"There is no invariant {', '.join(unknown)}; there are: {', '.join(_invariants)}.")
    return tuple(
        invariant
        for invariant in _invariants.values()
        if (not only or invariant.name in only) and (invariant.is_quick or not quick)
    )
