"""What a scrape reads from the database: groups of figures, each of which may fail without the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Q
from prometheus_client.core import GaugeMetricFamily

from kernel.jobs.models import JobRun
from kernel.jobs.states import LIVE
from kernel.outbox.models import OutboxDelivery
from payments.partitioning import PAYMENT_PARTITIONS, month_of
from payments.statistics import open_reviews, staging_backlog

JOB_WINDOW = timedelta(hours=1)
BYTES_PER_MEGABYTE = 1024 * 1024

Figures = Iterator[GaugeMetricFamily]


def staging_figures(at: datetime) -> Figures:
    backlog = staging_backlog(at=at)
    yield GaugeMetricFamily(
        "paymentsite_staging_backlog_rows", "Staged rows that wait; counting stops at 100000", backlog.rows
    )
    yield GaugeMetricFamily(
        "paymentsite_staging_oldest_age_seconds", "Age of the oldest staged row that waits", backlog.oldest_age_seconds
    )


def review_figures(_: datetime) -> Figures:
    reviews = open_reviews()
    yield GaugeMetricFamily("paymentsite_open_rejections", "Rejected rows that wait for staff", reviews.rejections)
    yield GaugeMetricFamily("paymentsite_open_conflicts", "Reference conflicts that wait for staff", reviews.conflicts)


def outbox_figures(at: datetime) -> Figures:
    backlog = OutboxDelivery.objects.backlog(at)
    yield GaugeMetricFamily(
        "paymentsite_outbox_waiting_events", "Events that Kafka has not confirmed; capped", backlog.waiting
    )
    yield GaugeMetricFamily(
        "paymentsite_outbox_oldest_age_seconds", "Age of the oldest event that waits", backlog.oldest_age_seconds
    )
    yield GaugeMetricFamily(
        "paymentsite_outbox_backing_off_events", "Events that failed and wait to be tried again", backlog.backing_off
    )


def partition_figures(at: datetime) -> Figures:
    partitions = PAYMENT_PARTITIONS.existing()
    months = {partition.month for partition in partitions}
    largest = max((partition.size_bytes for partition in partitions), default=0)
    month, ahead = month_of(at), 0
    while month.next() in months:
        month, ahead = month.next(), ahead + 1
    yield GaugeMetricFamily("paymentsite_partitions_months_ahead", "Months after this one that have a partition", ahead)
    yield GaugeMetricFamily(
        "paymentsite_default_partition_rows",
        "Payments that found no partition; capped",
        PAYMENT_PARTITIONS.default_rows(),
    )
    yield GaugeMetricFamily("paymentsite_partition_largest_bytes", "Size of the largest partition", largest)
    yield GaugeMetricFamily(
        "paymentsite_partition_space_ratio",
        "The largest partition's share of PARTITION_SPACE_LIMIT_MB",
        largest / (settings.PARTITION_SPACE_LIMIT_MB * BYTES_PER_MEGABYTE),
    )


def job_figures(at: datetime) -> Figures:
    by_status = GaugeMetricFamily(
        "paymentsite_job_runs",
        "Job runs that are queued or running, and those that ended within the last hour",
        labels=["job_name", "status"],
    )
    counted = JobRun.objects.filter(Q(status__in=LIVE) | Q(queued_at__gte=at - 2 * JOB_WINDOW))
    counted = counted.filter(Q(status__in=LIVE) | Q(finished_at__gte=at - JOB_WINDOW))
    for name, status, runs in counted.values_list("name", "status").annotate(runs=Count("pk")).order_by("name"):
        by_status.add_metric([name, status], runs)
    yield by_status
    yield GaugeMetricFamily(
        "paymentsite_job_runs_silent",
        "Running jobs that have given no sign of life for longer than they should",
        JobRun.objects.silent(at).count(),
    )


GROUPS: dict[str, Callable[[datetime], Figures]] = {
    "staging": staging_figures,
    "reviews": review_figures,
    "outbox": outbox_figures,
    "partitions": partition_figures,
    "jobs": job_figures,
}
