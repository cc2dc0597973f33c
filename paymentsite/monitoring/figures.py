"""What a scrape reads from the database: groups of figures, each of which may fail without the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, connections
from django.db.models import Count, Max, Q
from prometheus_client.core import GaugeMetricFamily

from kernel.invariants.models import InvariantOutcome
from kernel.jobs.models import JobRun
from kernel.jobs.states import LIVE
from kernel.measurements.models import MeasurementSource
from kernel.outbox.models import OutboxDelivery
from kernel.outbox.queue import is_relay_active
from kernel.replicas import REPLICA
from payments.models import StagingProcessLog
from payments.partitioning import PAYMENT_PARTITIONS, month_of
from payments.states import BatchStatus
from payments.statistics import open_reviews, staging_backlog

# A server that is no standby (the primary itself under a second name) is behind by nothing.
REPLICA_LAG = """
select behind, case when behind = 0 then 0 else coalesce(extract(epoch from age), 0)::double precision end
from (
    select
        case when pg_is_in_recovery()
            then greatest(pg_wal_lsn_diff(%(written)s::pg_lsn, coalesce(pg_last_wal_replay_lsn(), '0/0')), 0)::bigint
            else 0
        end as behind,
        clock_timestamp() - pg_last_xact_replay_timestamp() as age
) lag
"""

JOB_WINDOW = timedelta(hours=1)
BATCH_WINDOW = timedelta(hours=1)
BYTES_PER_MEGABYTE = 1024 * 1024
DATABASE = """
    select pg_database_size(current_database()), count(*), current_setting('max_connections')::int,
           coalesce(extract(epoch from clock_timestamp() - min(xact_start) filter (
               where datname = current_database() and pid <> pg_backend_pid()
           )), 0)
    from pg_stat_activity
    where backend_type = 'client backend'
"""

Figures = Iterator[GaugeMetricFamily]


def staging_figures(at: datetime) -> Figures:
    backlog = staging_backlog(at=at)
    yield GaugeMetricFamily(
        "paymentsite_staging_backlog_rows", "Staged rows that wait; counting stops at 100000", backlog.rows
    )
    yield GaugeMetricFamily(
        "paymentsite_staging_oldest_age_seconds", "Age of the oldest staged row that waits", backlog.oldest_age_seconds
    )
    yield GaugeMetricFamily(
        "paymentsite_staging_failed_batches",
        "Batches of staged rows that failed within the last hour",
        StagingProcessLog.objects.since(at - BATCH_WINDOW).filter(status=BatchStatus.FAILED).count(),
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
    yield GaugeMetricFamily(
        "paymentsite_relay_active", "1 when a relay is at work, 0 when nobody sends events", is_relay_active()
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


def database_figures(_: datetime) -> Figures:
    """Whoever may not see other roles' sessions (pg_read_all_stats) sees the transactions of its own role alone."""
    with connection.cursor() as cursor:
        cursor.execute(DATABASE)
        size, connections, allowed, oldest_seconds = cursor.fetchone()
    yield GaugeMetricFamily("paymentsite_database_bytes", "Size of the database with its indexes", size)
    by_state = GaugeMetricFamily(
        "paymentsite_database_connections",
        "Connections to the server, whoever holds them: open (now), max (allowed)",
        labels=["state"],
    )
    by_state.add_metric(["open"], connections)
    by_state.add_metric(["max"], allowed)
    yield by_state
    yield GaugeMetricFamily(
        "paymentsite_database_oldest_transaction_seconds",
        "Age of the oldest transaction that is open in the database",
        oldest_seconds,
    )


def sample_figures(at: datetime) -> Figures:
    age = GaugeMetricFamily(
        "paymentsite_sample_age_seconds", "Seconds since our own sampler last stored the metrics; none before the first"
    )
    latest = MeasurementSource.objects.aggregate(latest=Max("sampled_at"))["latest"]
    if latest is not None:
        age.add_metric([], max((at - latest).total_seconds(), 0.0))
    yield age


def invariant_figures(at: datetime) -> Figures:
    broken = GaugeMetricFamily(
        "paymentsite_invariant_broken", "Records that broke this invariant at the last look", labels=["name"]
    )
    age = GaugeMetricFamily(
        "paymentsite_invariant_age_seconds", "Time since the last look at this invariant", labels=["name"]
    )
    for name, records, checked_at in InvariantOutcome.objects.order_by("name").values_list(
        "name", "broken", "checked_at"
    ):
        broken.add_metric([name], records)
        age.add_metric([name], (at - checked_at).total_seconds())
    yield broken
    yield age


def replica_figures(_: datetime) -> Figures:
    """No samples without a replica. One that is away leaves the group out, and paymentsite_figures_up says so."""
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    if REPLICA in connections.settings:
        lag_bytes, lag_seconds = _replica_lag()
    yield GaugeMetricFamily("paymentsite_replica_lag_bytes", "WAL that the replica has yet to replay", lag_bytes)
    yield GaugeMetricFamily(
        "paymentsite_replica_lag_seconds", "Age of what the replica replayed last, while it is behind", lag_seconds
    )


def _replica_lag() -> tuple[int, float]:
    with connection.cursor() as cursor:
        cursor.execute("select pg_current_wal_lsn()::text")
        (written,) = cursor.fetchone()
    try:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(REPLICA_LAG, {"written": written})
            lag_bytes, lag_seconds = cursor.fetchone()
    finally:
        connections[REPLICA].close()
    return lag_bytes, lag_seconds


GROUPS: dict[str, Callable[[datetime], Figures]] = {
    "staging": staging_figures,
    "reviews": review_figures,
    "outbox": outbox_figures,
    "partitions": partition_figures,
    "jobs": job_figures,
    "replica": replica_figures,
    "invariants": invariant_figures,
    "database": database_figures,
    "samples": sample_figures,
}
