"""Which events and publications are kept for a time only."""

from __future__ import annotations

from kernel.outbox.apps import SEALED
from kernel.pruning.registry import Prunable, register
from kernel.pruning.sealed import SealedSourceRows
from kernel.pruning.tables import TableRows

# One range scan for each stretch of positions: a publication stays while a single one of its events is there.
EVENTS_ARE_GONE = """
    not exists (
        select from unnest(entry.positions) as part (span)
        cross join lateral (
            select from outbox_event event
            where event.position >= lower(part.span) and event.position < upper(part.span)
            limit 1
        ) remaining
    )
"""

register(
    Prunable("outbox-events", "Published events", "EVENT_RETENTION_DAYS", SealedSourceRows(SEALED)),
)
# Named so that it comes before the events: what is counted in a rehearsal does not hang on what the same run deletes.
register(
    Prunable(
        "event-publications",
        "Publications whose events are gone",
        "EVENT_RETENTION_DAYS",
        TableRows("outbox_publication", age="published_at", condition=EVENTS_ARE_GONE),
    )
)
