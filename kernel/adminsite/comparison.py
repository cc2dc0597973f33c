"""Two contents side by side, field by field, the differing ones marked in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    label: str
    cells: Sequence[Any]
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The table; `headers` includes the one of the first column. A record page shows it as `comparison`."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Row]
    note: SafeString | str = ""

    @property
    def named_rows(self) -> list[tuple[Row, list[tuple[str, Any]]]]:
        """Each row with its cells under their headers, which a narrow screen shows beside them."""
        return [(row, list(zip(self.headers[1:], row.cells, strict=True))) for row in self.rows]
