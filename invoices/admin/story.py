"""The story of an invoice beside its audit: what others were told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from kernel.adminsite import Step, name_thing, record_link
from kernel.outbox.models import OutboxEvent

EVENTS_SHOWN = 50

name_thing("invoice", "Invoice")
name_thing("refund", "Refund")
name_thing("credit", "Credit")


def event_steps(invoice_id: int, moments: Iterable[datetime]) -> Sequence[Step]:
    """The events about the invoice that were committed at these moments, with what became of each.

    Events have no index by subject. An event commits with the act that it tells of, and bears its moment, by which
    events are found without reading others.
    """
    when = sorted(set(moments))
    if not when:
        return []
    found = OutboxEvent.objects.filter(occurred_at__in=when, subject=f"invoices/{invoice_id}").with_delivery()
    return [_step(event) for event in found.order_by("position")[:EVENTS_SHOWN]]


def _step(event: OutboxEvent) -> Step:
    queued, published = event.queued_at, event.published_at  # type: ignore[attr-defined]
    state = "waits for delivery" if queued is not None else "delivered" if published is not None else "announced"
    link = record_link(OutboxEvent, event.pk, f"Event {event.pk}")
    return Step(event.occurred_at, f"Event {event.event_type} {state}", link=link)
