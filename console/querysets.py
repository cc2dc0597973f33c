"""What the overview reads across apps: few statements, each bounded by an index on time or by a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from invoices.states import OPEN_STATUSES
from kernel.jobs.models import JobRun
from kernel.jobs.states import JobStatus
from kernel.periods import Month
from payments.models import StagingProcessLog
from payments.partitioning import PAYMENT_PARTITIONS, month_of

# The statuses are literal where an index is of them alone.
INVOICES_WAITING = """
    select
        (select count(*) from (select 1 from invoice where status = any(%(open)s) limit %(most)s) found),
        (select count(*) from (
            select 1 from invoice where status = 'APPROVED' and created_at <= %(stuck_at)s limit %(most)s) found),
        (select count(*) from (
            select 1 from card_attempt where status = 'CREATED' and started_at < %(opened_at)s limit %(most)s) found),
        (select count(*) from (
            select 1 from outside_call
            where status in ('PENDING', 'SENT', 'UNKNOWN') and created_at < %(called_at)s limit %(most)s) found),
        (select count(*) from (
            select 1 from refund where status in ('PENDING_APPROVAL', 'PROCESSING') limit %(most)s) found)
"""
# An invoice that is to be collected at night and was not within so long is stuck.
STUCK_AFTER = timedelta(days=20)
INVOICES_COUNTED = 10_000
PAYER_PATIENCE = timedelta(minutes=30)
CALL_PATIENCE = timedelta(minutes=2)
FAILED_WITHIN = timedelta(hours=24)
DEFAULT_ROWS_COUNTED = 1000

RECORDED_BY_HOUR = """
    select date_bin('1 hour', created_at, %(start)s::timestamptz), coalesce(payment_channel, ''), currency,
           count(*), sum(amount)
    from payments
    where created_at >= %(start)s::timestamptz and created_at < %(end)s::timestamptz
    group by 1, 2, 3
"""
TROUBLES_BY_HOUR = """
    select date_bin('1 hour', seen.at, %(start)s::timestamptz), seen.kind, '', count(*), 0::numeric
    from (
        select detected_at as at, 'duplicate' as kind from staging_duplicate
        where detected_at >= %(start)s::timestamptz and detected_at < %(end)s::timestamptz
        union all
        select rejected_at, 'rejection' from staging_rejection
        where rejected_at >= %(start)s::timestamptz and rejected_at < %(end)s::timestamptz
        union all
        select received_at, case outcome when 'duplicate' then 'duplicate' else 'refusal' end from webhook_receipt
        where received_at >= %(start)s::timestamptz and received_at < %(end)s::timestamptz
          and outcome in ('duplicate', 'refused')
    ) seen
    group by 1, 2
"""


@dataclass(frozen=True, slots=True)
class HourFigure:
    """How many of one label (a channel, or a kind of trouble) in the hour that begins at hour_at, and their sum."""

    hour_at: datetime
    label: str
    currency: str
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceFigures:
    """Invoices of which money is expected, those among them that are stuck, and what waits for a word.

    Each stops counting at INVOICES_COUNTED.
    """

    open: int
    stuck: int
    unknown: int
    refunds: int


@dataclass(frozen=True, slots=True)
class Partitions:
    """Months after this one that have their partition, and rows in the default partition, counted up to a limit."""

    months_ahead: int
    default_rows: int


def figures_between(statement: str, start_at: datetime, end_at: datetime) -> list[HourFigure]:
    """One of the two statements above over [start_at, end_at); hours are counted from start_at."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"start": start_at, "end": end_at})
        return [HourFigure(*row) for row in cursor.fetchall()]


def invoice_figures(*, at: datetime) -> InvoiceFigures:
    """Five counts in one statement, each of one index and each with an end."""
    parameters: dict[str, Any] = {
        "open": sorted(OPEN_STATUSES),
        "stuck_at": at - STUCK_AFTER,
        "opened_at": at - PAYER_PATIENCE,
        "called_at": at - CALL_PATIENCE,
        "most": INVOICES_COUNTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(INVOICES_WAITING, parameters)
        is_open, stuck, attempts, calls, refunds = cursor.fetchone()
    return InvoiceFigures(open=is_open, stuck=stuck, unknown=attempts + calls, refunds=refunds)


def failed_runs(*, at: datetime) -> int:
    """Job runs of the last 24 hours that failed."""
    return JobRun.objects.filter(queued_at__gte=at - FAILED_WITHIN, status=JobStatus.FAILED).count()


def latest_batch() -> StagingProcessLog | None:
    batch: StagingProcessLog | None = StagingProcessLog.objects.order_by("-started_at").first()
    return batch


def partitions(*, at: datetime) -> Partitions:
    this_month: Month = month_of(at)
    ahead = sum(month > this_month for month in PAYMENT_PARTITIONS.months())
    return Partitions(ahead, PAYMENT_PARTITIONS.default_rows(limit=DEFAULT_ROWS_COUNTED))


def is_untouched() -> bool:
    """Whether nothing was recorded or set up yet, so that the overview can say how to begin."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select not (exists (select from payments) or exists (select from channel)
                        or exists (select from staging_process_log))
            """
        )
        return bool(cursor.fetchone()[0])
