"""Figures of the day and of what waits, each cheap enough to be asked for every few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Avg, F, Max, Sum

from kernel.calendar import business_date, business_day_bounds
from kernel.reading import ReadTookTooLong, limited_reading
from payments.models import StagingProcessLog
from payments.operations.staging_table import staging_table_exists
from payments.recorder import staging_table
from payments.states import BatchStatus

PENDING_COUNT_CAP = 100_000
PENDING_COUNT_MS = 500
STATISTICS_MS = 3_000
RECENT_BATCHES = 100
NONE = Decimal(0)
# A request is answered within WEBHOOK_TIMEOUT_MS, a minute at the most, and its receipt is written with the answer.
SETTLED_AFTER = timedelta(minutes=2)
KEPT_SECONDS = 26 * 3600

OPEN_REVIEWS = """
    select (select count(*) from staging_rejection where status = 'open'),
           (select count(*) from reference_conflict where status = 'open')
"""
# Two rows: what is settled, then what is not. Written out twice so that each reads its own stretch of the index.
REQUESTS = """
    select 1 as part, count(*), count(*) filter (where outcome = 'duplicate'), count(duration_ms),
           coalesce(sum(duration_ms), 0)
    from webhook_receipt
    where received_at >= %(since)s::timestamptz and received_at < %(settled)s::timestamptz
    union all
    select 2, count(*), count(*) filter (where outcome = 'duplicate'), count(duration_ms),
           coalesce(sum(duration_ms), 0)
    from webhook_receipt
    where received_at >= %(settled)s::timestamptz
    order by part
"""


@dataclass(frozen=True, slots=True)
class StagingBacklog:
    """What waits in the staging table. `rows` stops at PENDING_COUNT_CAP.

    is_complete is False when the table was too large to be read in time; then only the rows above the last batches
    are counted, and rows that were committed late below them are not among them.
    """

    rows: int
    oldest_age_seconds: float
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class StagingDay:
    """Staged rows that got their outcome today, the backlog, and milliseconds a batch; zero when there was none."""

    processed_today: int
    pending_count: int
    average_batch_time_ms: Decimal


@dataclass(frozen=True, slots=True)
class WebhookDay:
    """Requests that the webhooks answered today, the share of duplicates among them (0 to 1), milliseconds each."""

    received_today: int
    duplicate_rate: Decimal
    average_response_time_ms: Decimal


@dataclass(frozen=True, slots=True)
class OpenReviews:
    """What waits for a decision of staff."""

    rejections: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class _Requests:
    """Requests of the day until an instant: all, duplicates, those with a duration, and the sum of durations in ms."""

    until_at: datetime
    received: int
    duplicates: int
    timed: int
    total_ms: Decimal

    def __add__(self, later: _Requests) -> _Requests:
        return _Requests(
            later.until_at,
            self.received + later.received,
            self.duplicates + later.duplicates,
            self.timed + later.timed,
            self.total_ms + later.total_ms,
        )


def staging_backlog(*, at: datetime) -> StagingBacklog:
    """Rows that no run has taken yet, and the age of the oldest by its created_at. Empty when there is no table.

    The table is the ETL's and may have no index on what is unprocessed, so the count has half a second and a cap.
    """
    if not staging_table_exists():
        return StagingBacklog(0, 0.0)
    try:
        with limited_reading(milliseconds=PENDING_COUNT_MS):
            return _count_pending("", at=at)
    except ReadTookTooLong:
        with limited_reading(milliseconds=PENDING_COUNT_MS):
            found = _count_pending(_ABOVE_LAST_BATCHES, at=at)
        return StagingBacklog(found.rows, found.oldest_age_seconds, is_complete=False)


def staging_day(*, at: datetime) -> StagingDay:
    """The seed's figures of staging for the ledger's day that `at` is in. Batches count on the day they started."""
    start_at = business_day_bounds(business_date(at)).start_at
    completed = StagingProcessLog.objects.since(start_at).filter(status=BatchStatus.COMPLETED)
    with limited_reading(milliseconds=STATISTICS_MS):
        figures = completed.aggregate(rows=Sum("total_records"), length=Avg(F("completed_at") - F("started_at")))
    return StagingDay(
        processed_today=figures["rows"] or 0,
        pending_count=staging_backlog(at=at).rows,
        average_batch_time_ms=_milliseconds(figures["length"]),
    )


def webhook_day(*, at: datetime) -> WebhookDay:
    """The seed's figures of webhooks for the ledger's day that `at` is in, from the receipts.

    Requests that came more than SETTLED_AFTER ago are counted once and then kept, because no receipt is added to them
    any more: each call reads the receipts of the last minutes, however many the day has.
    """
    start_at = business_day_bounds(business_date(at)).start_at
    key = f"payments.webhook-day.{start_at.timestamp():.0f}"
    kept: _Requests = cache.get(key) or _Requests(start_at, 0, 0, 0, NONE)
    if kept.until_at > at:
        kept = _Requests(start_at, 0, 0, 0, NONE)
    settled_at = max(kept.until_at, at - SETTLED_AFTER)
    with limited_reading(milliseconds=STATISTICS_MS), connection.cursor() as cursor:
        cursor.execute(REQUESTS, {"since": kept.until_at, "settled": settled_at})
        settled, recent = (_Requests(settled_at, *row[1:]) for row in cursor.fetchall())
    kept += settled
    cache.set(key, kept, KEPT_SECONDS)
    day = kept + recent
    return WebhookDay(
        received_today=day.received,
        duplicate_rate=(Decimal(day.duplicates) / day.received).quantize(Decimal("0.0001")) if day.received else NONE,
        average_response_time_ms=_hundredths(day.total_ms / day.timed if day.timed else None),
    )


def open_reviews() -> OpenReviews:
    """Open rejections and conflicts; each count reads an index of the open ones alone."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_REVIEWS)
        return OpenReviews(*cursor.fetchone())


def last_staging_run_at() -> datetime | None:
    """When the latest batch of staged rows began; None before the first."""
    latest: datetime | None = StagingProcessLog.objects.aggregate(latest=Max("started_at"))["latest"]
    return latest


_ABOVE_LAST_BATCHES = """
    and id > coalesce((
        select max(batch_end_id)
        from (select batch_end_id from staging_process_log
              where status = 'completed' order by started_at desc limit %(batches)s::bigint) recent
    ), -9223372036854775808)
"""


def _count_pending(narrowing: str, *, at: datetime) -> StagingBacklog:
    """`narrowing` is one of this module's own pieces of SQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            select count(*), min(created_at at time zone %(zone)s::text)
            from (
                select created_at from {staging_table()}
                where processed is not true {narrowing} limit %(cap)s::bigint
            ) waiting
            """,  # noqa: S608 - the table's name is a checked setting
            {"zone": settings.STAGING_ZONE.key, "cap": PENDING_COUNT_CAP, "batches": RECENT_BATCHES},
        )
        rows, oldest_at = cursor.fetchone()
    return StagingBacklog(rows, max((at - oldest_at).total_seconds(), 0.0) if oldest_at else 0.0)


def _milliseconds(length: timedelta | None) -> Decimal:
    return _hundredths(Decimal(length // timedelta(microseconds=1)) / 1000 if length is not None else None)


def _hundredths(value: Decimal | None) -> Decimal:
    return NONE if value is None else Decimal(value).quantize(Decimal("0.01"))
