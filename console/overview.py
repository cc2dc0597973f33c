"""The state of the whole at one moment, read at most every five seconds however many people look at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.core.cache import cache

from console.hours import figures_by_hour, hours_until
from console.querysets import (
    RECORDED_BY_HOUR,
    TROUBLES_BY_HOUR,
    HourFigure,
    Partitions,
    failed_runs,
    is_untouched,
    latest_batch,
    partitions,
)
from kernel.calendar import business_date, business_day_bounds, ledger_zone
from kernel.invariants.models import InvariantOutcome
from kernel.outbox.models import OutboxDelivery
from kernel.outbox.querysets import Backlog
from kernel.reading import ReadTookTooLong, limited_reading
from payments.models import StagingProcessLog
from payments.operations.staging_table import staging_table_exists
from payments.statistics import OpenReviews, StagingBacklog, open_reviews, staging_backlog

KEPT_SECONDS = 5
READ_MS = 3000
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Overview:
    """What was read. A part is None when it could not be read in time."""

    at: datetime
    hours: list[datetime]
    day_began_at: datetime
    is_untouched: bool
    has_staging_table: bool
    recorded: list[HourFigure] | None
    troubles: list[HourFigure] | None
    backlog: StagingBacklog | None
    reviews: OpenReviews | None
    outbox: Backlog | None
    failed_runs: int | None
    latest_batch: StagingProcessLog | None
    partitions: Partitions | None
    invariants: list[InvariantOutcome] | None


def overview(*, at: datetime) -> Overview:
    """As it is now, or was at most five seconds ago."""
    kept: Overview | None = cache.get("console.overview")
    if kept is None:
        kept = read_overview(at=at)
        cache.set("console.overview", kept, KEPT_SECONDS)
    return kept


def open_counts() -> OpenReviews:
    """What waits for a decision, for the sidebar of every page."""
    kept: OpenReviews | None = cache.get("console.reviews")
    if kept is None:
        kept = _in_time(open_reviews) or OpenReviews(0, 0)
        cache.set("console.reviews", kept, KEPT_SECONDS)
    return kept


def read_overview(*, at: datetime) -> Overview:
    """Some fifteen small statements, each ended after three seconds."""
    day_began_at = business_day_bounds(business_date(at)).start_at
    hours = hours_until(at, ledger_zone(), since=day_began_at)
    return Overview(
        at=at,
        hours=hours,
        day_began_at=day_began_at,
        is_untouched=is_untouched(),
        has_staging_table=staging_table_exists(),
        recorded=_in_time(lambda: figures_by_hour("recorded", RECORDED_BY_HOUR, hours, at=at)),
        troubles=_in_time(lambda: figures_by_hour("troubles", TROUBLES_BY_HOUR, hours, at=at)),
        backlog=_in_time(lambda: staging_backlog(at=at)),
        reviews=_in_time(open_reviews),
        outbox=_in_time(lambda: OutboxDelivery.objects.backlog(at)),
        failed_runs=_in_time(lambda: failed_runs(at=at)),
        latest_batch=_in_time(latest_batch),
        partitions=_in_time(lambda: partitions(at=at)),
        invariants=_in_time(lambda: list(InvariantOutcome.objects.order_by("checked_at"))),
    )


def _in_time(read: Callable[[], Read]) -> Read | None:
    try:
        with limited_reading(milliseconds=READ_MS):
            return read()
    except ReadTookTooLong:
        return None
