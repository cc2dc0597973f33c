"""The state of the whole at one moment, read at most every five seconds however many people look at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.core.cache import cache

from console.alerts import AlertsNow, alerts_now
from console.hours import figures_by_hour, hours_until
from console.querysets import (
    RECORDED_BY_HOUR,
    TROUBLES_BY_HOUR,
    HourFigure,
    InvoiceFigures,
    Partitions,
    failed_runs,
    invoice_figures,
    is_untouched,
    latest_batch,
    partitions,
)
from kernel.approvals.models import ApprovalRequest
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
    alerts: AlertsNow | None
    invariants: list[InvariantOutcome] | None
    approvals: int | None
    invoices: InvoiceFigures | None


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
    return kept or _in_time(_reviews) or OpenReviews(0, 0)


def approvals_waiting() -> int:
    """Requests that wait for a second person, for the sidebar of every page."""
    kept: int | None = cache.get("console.approvals")
    return (_in_time(_approvals) or 0) if kept is None else kept


def read_overview(*, at: datetime) -> Overview:
    """Some fifteen small statements in one transaction, each ended after three seconds.

    When one of them is, the parts are read once more each by itself: then only what is slow is missing.
    """
    day_began_at = business_day_bounds(business_date(at)).start_at
    hours = hours_until(at, ledger_zone(), since=day_began_at)
    reads: dict[str, Callable[[], Any]] = {
        "recorded": lambda: figures_by_hour("recorded", RECORDED_BY_HOUR, hours, at=at),
        "troubles": lambda: figures_by_hour("troubles", TROUBLES_BY_HOUR, hours, at=at),
        "backlog": lambda: staging_backlog(at=at),
        "reviews": _reviews,
        "outbox": lambda: OutboxDelivery.objects.backlog(at),
        "failed_runs": lambda: failed_runs(at=at),
        "latest_batch": latest_batch,
        "partitions": lambda: partitions(at=at),
        "alerts": lambda: alerts_now(at=at),
        "approvals": _approvals,
        "invoices": lambda: invoice_figures(at=at),
        "invariants": lambda: list(InvariantOutcome.objects.order_by("checked_at")),
    }
    found = _in_time(lambda: {name: read() for name, read in reads.items()})
    if found is None:
        found = {name: _in_time(read) for name, read in reads.items()}
    return Overview(
        at=at,
        hours=hours,
        day_began_at=day_began_at,
        is_untouched=not (found["recorded"] or found["latest_batch"]) and is_untouched(),
        has_staging_table=staging_table_exists(),
        **found,
    )


def _reviews() -> OpenReviews:
    kept: OpenReviews | None = cache.get("console.reviews")
    if kept is None:
        kept = open_reviews()
        cache.set("console.reviews", kept, KEPT_SECONDS)
    return kept


def _approvals() -> int:
    kept: int | None = cache.get("console.approvals")
    if kept is None:
        kept = ApprovalRequest.objects.pending().count()
        cache.set("console.approvals", kept, KEPT_SECONDS)
    return kept


def _in_time(read: Callable[[], Read]) -> Read | None:
    try:
        with limited_reading(milliseconds=READ_MS):
            return read()
    except ReadTookTooLong:
        return None
