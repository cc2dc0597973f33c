"""Small tables inside the panels of a page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str = "", figures: Collection[int] = ()
) -> SafeString:
    """A table of the console; on a narrow screen it scrolls by itself. `empty` stands there while there is no row.

    Cells are escaped unless they are markup already. `figures` are the places of the columns whose heads and cells
    stand to the right.
    """
    if not rows:
        return format_html('<p class="ps-note">{}</p>', empty)
    sides = [SafeString(' class="ps-figure"') if place in figures else "" for place in range(len(heads))]
    head = format_html_join("", '<th scope="col"{}>{}</th>', zip(sides, heads, strict=True))
    lines = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", "<td{}>{}</td>", zip(sides, row, strict=True)),) for row in rows),
    )
    return format_html(
        '<div class="ps-scroll"><table class="ps-table{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        " ps-amounts" if figures else "",
        head,
        lines,
    )
