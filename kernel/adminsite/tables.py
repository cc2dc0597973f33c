"""Small tables inside the panels of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str = "", figures: bool = False) -> SafeString:
    """A table of the console; on a narrow screen it scrolls by itself. `empty` stands there while there is no row.

    Cells are escaped unless they are markup already. `figures` aligns amounts with the right edge of their column.
    """
    if not rows:
        return format_html('<p class="ps-note">{}</p>', empty)
    head = format_html_join("", '<th scope="col">{}</th>', ((text,) for text in heads))
    lines = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows)
    )
    return format_html(
        '<div class="ps-scroll"><table class="ps-table{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        " ps-amounts" if figures else "",
        head,
        lines,
    )
