"""Why an account may not be closed yet: apps above register what they know, such as open invoices and credits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import PaymentAccount

# Called with the account and the moment, inside the unit of work that closes it; gives a sentence for each hindrance.
Hindrance = Callable[["PaymentAccount", datetime], list[str]]

_hindrances: dict[str, Hindrance] = {}


def register_hindrance(name: str, hindrance: Hindrance) -> None:
    """Adds a reason not to close, in the place of one with the same name."""
    _hindrances[name] = hindrance


def hindrances(account: PaymentAccount, at: datetime) -> list[str]:
    """The sentences of everything that stands in the way, in the order of their names; empty when nothing does."""
    return [sentence for name in sorted(_hindrances) for sentence in _hindrances[name](account, at)]
