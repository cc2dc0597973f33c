"""What apps above show on the page of an account: each registers its panels when it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from accounts.models import PaymentAccount


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled part of the page. Lower orders stand higher; `render` escapes what it shows, and may give ''."""

    title: str
    order: int
    render: Callable[[HttpRequest, PaymentAccount], SafeString]


_panels: dict[str, Panel] = {}


def register_panel(panel: Panel) -> None:
    """Adds the panel, in the place of one with the same title."""
    _panels[panel.title] = panel


def registered_panels() -> list[Panel]:
    """All panels from the top of the page down."""
    return sorted(_panels.values(), key=lambda panel: (panel.order, panel.title))
