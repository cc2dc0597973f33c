"""Which kinds of rows are kept for a time only. An app registers its own when it is ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.conf import settings

from kernel.audit.actors import Actor


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that are old enough and free to go, and the age of the oldest; None when there are none."""

    count: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pruning:
    """The run that prunes: who asked, and when it began."""

    run_id: UUID
    actor: Actor
    at: datetime


class Rows(Protocol):
    """The rows of one kind. Neither method opens a transaction or waits."""

    def find(self, *, before: datetime) -> Found:
        """What `chunks` would delete in all. Reads only."""

    def chunks(self, *, before: datetime) -> Iterator[Chunk]:
        """Short steps that together delete it, the oldest first; it ends when nothing is left."""


class Chunk(Protocol):
    """One short step, run inside a unit of work of its own."""

    def __call__(self, pruning: Pruning) -> int:
        """Deletes and gives how many rows."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """One kind of rows: its name, what it is for a person, the setting with its days, and how its rows go."""

    name: str
    label: str
    setting: str
    rows: Rows

    @property
    def days(self) -> int:
        return int(getattr(settings, self.setting))

    def before(self, at: datetime) -> datetime:
        """Only what is older than this goes."""
        return at - timedelta(days=self.days)


_prunables: dict[str, Prunable] = {}


def register(prunable: Prunable) -> None:
    """Adds a kind. Called once per process, when its app is ready."""
    _prunables[prunable.name] = prunable


def prunables() -> tuple[Prunable, ...]:
    """All kinds, in the order of their names."""
    return tuple(_prunables[name] for name in sorted(_prunables))
