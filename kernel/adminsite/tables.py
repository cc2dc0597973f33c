"""Small tables inside the panels of a page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str = "", figures: Collection[int] = ()
) -> SafeString:
    """A table of the console; on a narrow screen each cell stands in a line with its head.

    `empty` stands in its place while there is no row. Cells are escaped unless they are markup already. `figures` are
    the places of the columns whose heads and cells stand to the right.
    """
    if not rows:
        return format_html('<p class="ps-note">{}</p>', empty)
    sides = [SafeString(' class="ps-figure"') if place in figures else "" for place in range(len(heads))]
    head = format_html_join("", '<th scope="col"{}>{}</th>', zip(sides, heads, strict=True))
    cells = '<td{} data-label="{}">{}</td>'
    lines = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", cells, zip(sides, heads, row, strict=True)),) for row in rows),
    )
    return format_html(
        '<div class="ps-scroll"><table class="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        "ps-table ps-stacks ps-amounts" if figures else "ps-table ps-stacks",
        head,
        lines,
    )
