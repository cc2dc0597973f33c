"""Columns and facts that many of our pages show alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.safestring import SafeString
from unfold.decorators import display

from kernel.display import moment

MomentColumn = Callable[[Any, Any], SafeString | str]


def moment_column(field: str, description: str) -> MomentColumn:
    """An admin method that shows the datetime `field` in the ledger's zone; a list sorts by the field itself."""

    @display(description=description, ordering=field)
    def shown(model_admin: Any, record: Any) -> SafeString | str:
        return moment(getattr(record, field))

    return shown
