"""Reads of the outbox: what waits, since when, and what became of an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from kernel.outbox.selection import EventFilter

if TYPE_CHECKING:
    from kernel.outbox.models import OutboxDelivery, OutboxEvent, OutboxReplay  # noqa: F401 -- base classes name them

BACKLOG_COUNT_CAP = 100_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """The queue at one moment. `waiting` and `backing_off` stop counting at BACKLOG_COUNT_CAP."""

    waiting: int
    oldest_age_seconds: float
    backing_off: int
    last_error: str

    @property
    def is_capped(self) -> bool:
        return self.waiting >= BACKLOG_COUNT_CAP


class EventQuerySet(models.QuerySet["OutboxEvent"]):
    """Events, with what became of each of them on request."""

    def selected(self, chosen: EventFilter, *, up_to: int) -> Self:
        """The events that a filter gives, up to a position."""
        found = self.filter(occurred_at__gte=chosen.from_at, occurred_at__lt=chosen.to_at, position__lte=up_to)
        found = found.filter(key=chosen.key) if chosen.key else found
        return found.filter(event_type=chosen.event_type) if chosen.event_type else found

    def lock(self, pks: Iterable[int]) -> list[OutboxEvent]:
        """The events at these positions, in order, locked until the unit of work ends: none is retired meanwhile."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def waiting(self) -> Self:
        return self.filter(Exists(_delivery_of("position")))

    def failed(self) -> Self:
        """Waiting events that Kafka has refused at least once."""
        return self.filter(Exists(_delivery_of("position").filter(attempts__gt=0)))

    def delivered(self) -> Self:
        """Events that Kafka has confirmed and that are not queued again."""
        return self.filter(~Exists(_delivery_of("position")))

    def with_delivery(self) -> Self:
        """Adds queued_at, next_attempt_at, attempts, last_error of a waiting event and published_at of the latest
        publication. Each is a probe of one index per row: for pages, not for whole tables.
        """
        waiting = _delivery_of("position")
        return self.annotate(
            queued_at=Subquery(waiting.values("queued_at")[:1]),
            next_attempt_at=Subquery(waiting.values("next_attempt_at")[:1]),
            attempts=Subquery(waiting.values("attempts")[:1]),
            last_error=Subquery(waiting.values("last_error")[:1]),
            published_at=Subquery(publications_of(OuterRef("position")).values("published_at")[:1]),
        )


class DeliveryQuerySet(models.QuerySet["OutboxDelivery"]):
    """The queue."""

    def backlog(self, at: datetime) -> Backlog:
        """What waits, in one statement that reads at most BACKLOG_COUNT_CAP entries of the queue."""
        capped = self.order_by("position")[:BACKLOG_COUNT_CAP]
        counts = capped.aggregate(
            waiting=models.Count("position"),
            oldest=models.Min("queued_at"),
            backing_off=models.Count("position", filter=models.Q(next_attempt_at__gt=at)),
        )
        failed = self.filter(next_attempt_at__isnull=False).order_by("-next_attempt_at").values_list("last_error")
        last_error = failed.first()
        oldest = counts["oldest"]
        return Backlog(
            waiting=counts["waiting"],
            oldest_age_seconds=max((at - oldest).total_seconds(), 0.0) if oldest else 0.0,
            backing_off=counts["backing_off"],
            last_error=last_error[0] if last_error else "",
        )


class ReplayQuerySet(models.QuerySet["OutboxReplay"]):
    """Replays that were approved."""

    def lock(self, pks: Iterable[int]) -> list[OutboxReplay]:
        """The rows of these keys, locked in order of their keys until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))


def publications_of(position: Any) -> models.QuerySet[Any]:
    """Publications that carried this position (a number or an OuterRef), the latest first."""
    publication = apps.get_model("outbox", "OutboxPublication")
    return publication._default_manager.filter(positions__holds=position).order_by("-published_at")


def retired_count(event_type: str) -> int:
    """How many events of this type were deleted because they were old."""
    retirements = apps.get_model("audit", "AuditRetirement")._default_manager.filter(source="outbox_event")
    count = Cast(KeyTextTransform(event_type, "counts"), models.BigIntegerField())
    return retirements.aggregate(count=models.Sum(count))["count"] or 0


def retired_until(event_type: str) -> datetime | None:
    """Every deleted event of this type occurred at or before this; None when none was deleted."""
    retirements = apps.get_model("audit", "AuditRetirement")._default_manager.filter(source="outbox_event")
    until: datetime | None = retirements.filter(counts__has_key=event_type).aggregate(
        until=models.Max("last_recorded_at")
    )["until"]
    return until


def _delivery_of(column: str) -> models.QuerySet[Any]:
    return apps.get_model("outbox", "OutboxDelivery")._default_manager.filter(position=OuterRef(column))
