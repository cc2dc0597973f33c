"""The part of a list's address that says what it shows: kept without the page that somebody happened to be on."""

from __future__ import annotations

from django.http import QueryDict

LONGEST = 2000
# What is of one visit alone: the page, Django's error mark, and whether all rows are shown.
OF_ONE_VISIT = ("p", "e", "all", "_facets", "_changelist_filters")


def in_words(query: str) -> str:
    """What a kept query chooses, for a person who is about to name it: `method: EFT, EJV; status: APPROVED`."""
    chosen = QueryDict(query)
    said = (
        f"{'search' if name == 'q' else name.replace('_', ' ')}: {', '.join(chosen.getlist(name))}" for name in chosen
    )
    return "; ".join(said)


def kept_query(text: str) -> str:
    """The query in one spelling, so that the same choice is the same text; '' when nothing is chosen."""
    given = QueryDict(text.lstrip("?")[:LONGEST], mutable=True)
    for name in OF_ONE_VISIT:
        given.pop(name, None)
    kept = QueryDict(mutable=True)
    for name in sorted(given):
        values = sorted({value for value in given.getlist(name) if value})
        if values:
            kept.setlist(name, values)
    return kept.urlencode()
