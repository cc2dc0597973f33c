"""What a record page is made of beside its story: groups of facts, a money box, related records, panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.safestring import SafeString

from kernel.display import money

Place = Literal["main", "side"]


@dataclass(frozen=True, slots=True)
class Facts:
    """One group of facts: a title and pairs of label and value; a value may be markup that is safe already."""

    title: str
    pairs: Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """One amount of the money box; `is_sum` sets it off, as what is owing."""

    label: str
    amount: Decimal | None
    is_sum: bool = False
    note: SafeString | str = ""


@dataclass(frozen=True, slots=True)
class MoneyBox:
    """What a record is worth, and what became of it, as amounts one under the other."""

    lines: Sequence[MoneyLine]
    currency: str
    title: str = "Money"
    note: SafeString | str = ""

    @property
    def shown(self) -> list[tuple[MoneyLine, SafeString | str]]:
        return [(line, money(line.amount, self.currency)) for line in self.lines]


@dataclass(frozen=True, slots=True)
class Related:
    """Records that belong together with this one: a title, and a link for each."""

    title: str
    links: Sequence[SafeString | str]
    # What stands there while there is no link; without it the title is left out then.
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A box of a record page: in the middle under the facts, or at the side."""

    title: str
    content: SafeString | str
    place: Place = "main"
    order: int = 100
    # What a link can point to: `#notes`.
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """An action that the person may take now: where, and what it does."""

    title: str
    address: str
    effect: str
    icon: str = ""
    # The key of the keyboard that opens it, as the action's attribute `data-key` says.
    key: str = ""


# Called with the request and the record; None when there is nothing for this person to see.
PanelSource = Callable[[HttpRequest, Any], Panel | None]
_sources: dict[str, PanelSource] = {}


def register_panel(name: str, source: PanelSource) -> None:
    """Adds a panel to every record page; the same name again takes the place of the earlier one."""
    _sources[name] = source


def registered_panels(request: HttpRequest, record: Any) -> list[Panel]:
    found = [source(request, record) for source in _sources.values()]
    return [panel for panel in found if panel is not None]
