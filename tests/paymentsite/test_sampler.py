"""From what the processes counted to the alerts: each fires when its case is there, and clears when it is mended."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import Settings

from kernel.invariants.models import InvariantOutcome
from kernel.jobs.models import JobRun
from kernel.measurements.models import AlertState, Measurement, MeasurementSource
from kernel.measurements.rules import rules_of
from kernel.measurements.series import key_of
from kernel.outbox.metrics import EVENTS_DELIVERED, EVENTS_FAILED
from kernel.outbox.models import OutboxDelivery
from kernel.outbox.queue import is_relay_active, open_queue
from kernel.uuids import uuid7
from payments.models import StagingProcessLog
from payments.partitioning import PAYMENT_PARTITIONS, ensure_partitions_ahead, month_of
from payments.recorder import staging_table
from payments.webhooks.metrics import observe
from paymentsite.monitoring import collectors, figures, pool, sampler
from paymentsite.monitoring.exposition import database_collector
from paymentsite.monitoring.sampler import parted, source_name, take_sample
from tests.payments.staged import prepare_staging

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
Act = Callable[[], object]


@pytest.fixture(autouse=True)
def _staging_and_nothing_remembered() -> None:
    prepare_staging()
    ensure_partitions_ahead(at=START)
    database_collector.forget()


def sample(minute: float) -> None:
    database_collector.forget()
    assert take_sample(START + minute * MINUTE) is True


def firing() -> set[str]:
    # No relay runs beside the tests; only the test of that alert asks for it.
    return set(AlertState.objects.firing().values_list("name", flat=True))


def fires_after(name: str, minutes: int, *, meanwhile: Act | None = None) -> None:
    """Samples every minute; the alert fires at its last, and not at the one before when it has any patience."""
    sample(0)
    for minute in range(1, minutes + 2):
        assert name not in firing()
        if meanwhile is not None:
            meanwhile()
        sample(minute)
    assert name in firing()


def clears(name: str, *, minute: float) -> None:
    sample(minute)
    assert name not in set(AlertState.objects.values_list("name", flat=True))


def test_a_sample_holds_what_was_counted_since_the_last_and_what_the_database_says(client: Client) -> None:
    sample(0)
    client.post("/api/v1/payments/webhook/nobody", b"{}", content_type="application/json")
    OutboxDelivery.objects.create(position=1, key="LN1", queued_at=START)
    sample(1)
    measurement = Measurement.objects.get()
    refused = key_of("paymentsite_webhooks_total", {"channel": "unknown", "outcome": "refused"})
    assert (measurement.seconds, measurement.counters[refused]) == (60, 1)
    assert measurement.gauges["paymentsite_outbox_waiting_events"] == 1
    assert measurement.gauges["paymentsite_database_bytes"] > 1_000_000
    assert not any(key.startswith(("python_", "process_")) for key in (*measurement.counters, *measurement.gauges))


def test_a_source_is_a_metrics_folder_of_a_machine_or_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    assert source_name() == f"{socket.gethostname()}:{os.getpid()}"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/tmp/metrics")  # noqa: S108
    assert source_name() == f"{socket.gethostname()}:/tmp/metrics"


def test_counters_and_gauges_are_told_apart() -> None:
    observe("c", "created", 0.004)
    totals, gauges = parted(sampler.gathered())
    assert totals[key_of("paymentsite_webhook_seconds_count", {"channel": "c", "outcome": "created"})] >= 1
    assert "paymentsite_staging_backlog_rows" in gauges
    assert not set(totals) & set(gauges)
    assert not any(key.partition("{")[0].endswith("_created") for key in totals)


def test_the_thread_samples_by_itself_and_survives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[datetime] = []
    stopping = threading.Event()

    def fail_once(at: datetime) -> bool:
        tried.append(at)
        if len(tried) == 1:
            raise DatabaseError("away")
        stopping.set()
        return True

    monkeypatch.setattr(sampler, "SAMPLE_SECONDS", 0.05)
    monkeypatch.setattr(sampler, "take_sample", fail_once)
    thread = sampler.keep_measuring(stopping)
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert len(tried) == 2


def test_switched_off_nothing_is_sampled(settings: Settings) -> None:
    settings.ENABLE_METRICS = False
    assert sampler.keep_measuring() is None


def test_without_a_database_nothing_is_lost_and_the_next_sample_has_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sample(0)
    key = key_of("paymentsite_webhooks_total", {"channel": "c", "outcome": "created"})
    observe("c", "created", 0.004)
    with monkeypatch.context() as away:

        def refuse(*_: Any, **__: Any) -> bool:
            raise DatabaseError

        away.setattr(sampler, "keep_sample", refuse)
        with pytest.raises(DatabaseError):
            take_sample(START + MINUTE)
    observe("c", "created", 0.004)
    sample(2)
    measurement = Measurement.objects.get()
    assert (measurement.counters[key], measurement.seconds) == (2, 120)
    assert MeasurementSource.objects.count() == 1


def test_many_staged_rows() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {staging_table()} (reference_number, loan_account_number, cif, amount, payment_date)"
            " select 'R' || n, 'LN1', 'C1', 1, now() from generate_series(1, 10001) n"
        )
    fires_after("StagingBacklogLarge", 5)
    with connection.cursor() as cursor:
        cursor.execute(f"update {staging_table()} set processed = true where reference_number = 'R1'")
    clears("StagingBacklogLarge", minute=7)


def test_slow_webhooks() -> None:
    fires_after("WebhooksSlow", 5, meanwhile=lambda: observe("c", "created", 0.8))
    clears("WebhooksSlow", minute=12)


def test_refused_webhooks(client: Client) -> None:
    def knock() -> None:
        for _ in range(10):
            client.post("/api/v1/payments/webhook/nobody", b"{}", content_type="application/json")

    fires_after("WebhooksRefusedSurge", 5, meanwhile=knock)
    clears("WebhooksRefusedSurge", minute=12)


def test_webhooks_that_end_in_our_own_errors() -> None:
    fires_after("WebhooksFailing", 1, meanwhile=lambda: observe("c", "failed", 0.01))
    clears("WebhooksFailing", minute=8)


def test_events_that_kafka_refuses() -> None:
    def publish() -> None:
        EVENTS_DELIVERED.inc(98)
        EVENTS_FAILED.inc(2)

    fires_after("EventPublishingFails", 5, meanwhile=publish)
    clears("EventPublishingFails", minute=17)


def test_events_that_wait_too_long() -> None:
    OutboxDelivery.objects.create(position=1, key="LN1", queued_at=START - 6 * MINUTE)
    fires_after("OutboxDelayed", 2)
    OutboxDelivery.objects.all().delete()
    clears("OutboxDelayed", minute=4)


def test_no_relay_at_work() -> None:
    fires_after("RelayDown", 2)
    with open_queue() as queue:
        assert queue.lead()
        assert is_relay_active()
        clears("RelayDown", minute=4)
    until = time.monotonic() + 10
    while is_relay_active() and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_relay_active()


def test_a_full_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = {"pool_max": 50, "pool_size": 50, "pool_available": 0, "requests_waiting": 4, "requests_errors": 1}

    class Pool:
        def get_stats(self) -> dict[str, int]:
            return stats

    class Connection:
        pool = Pool()

    monkeypatch.setattr(pool, "connection", Connection())
    fires_after("DatabasePoolExhausted", 1)
    stats |= {"pool_available": 9, "requests_waiting": 0}
    clears("DatabasePoolExhausted", minute=3)


def test_a_partition_that_fills_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as little_space:
        little_space.setattr(figures, "BYTES_PER_MEGABYTE", 1)
        fires_after("PartitionSpaceLow", 15)
    clears("PartitionSpaceLow", minute=17)


def test_a_payment_outside_its_month() -> None:
    with ExitStack() as stack:
        cursor = stack.enter_context(connection.cursor())
        sample(0)
        cursor.execute(
            "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date,"
            " payment_channel, source, created_at) values (%s, 'R', 'LN1', 'C1', 1, 'CAD', '1971-01-02', 'c', 'manual',"
            " now())",
            [uuid7(START)],
        )
        sample(1)
        assert "DefaultPartitionNotEmpty" in firing()
        cursor.execute("set session_replication_role = replica")
        cursor.execute("delete from payments where reference_number = 'R'")
        cursor.execute("reset session_replication_role")
    clears("DefaultPartitionNotEmpty", minute=2)


def test_no_partitions_ahead() -> None:
    with connection.cursor() as cursor:
        for month in PAYMENT_PARTITIONS.months():
            if month > month_of(START):
                cursor.execute(f'drop table "{PAYMENT_PARTITIONS.name_of(month)}"')
    try:
        sample(0)
        for minute in (1, 30, 60):
            sample(minute)
            assert "PartitionsNotAhead" not in firing()
        sample(61)
        assert "PartitionsNotAhead" in firing()
    finally:
        ensure_partitions_ahead(at=START)
    clears("PartitionsNotAhead", minute=62)


def test_a_failed_batch() -> None:
    batch = StagingProcessLog.objects.create(
        id=uuid7(START), batch_start_id=1, batch_end_id=2, total_records=2, status="failed", started_at=START
    )
    fires_after("BatchFailed", 0)
    StagingProcessLog.objects.filter(pk=batch.pk).update(started_at=START - 61 * MINUTE)
    clears("BatchFailed", minute=2)


def a_run(status: str, **changes: Any) -> JobRun:
    values = {"name": "a job", "requested_by": "t", "status": status, "status_since": START, "queued_at": START}
    return JobRun.objects.create(**values | changes)


def test_a_failed_job_names_the_job() -> None:
    a_run("failed", finished_at=START)
    fires_after("JobFailed", 0)
    assert AlertState.objects.get(name="JobFailed").labels == {"job_name": "a job"}
    JobRun.objects.all().delete()
    clears("JobFailed", minute=2)


def test_a_job_that_has_fallen_silent() -> None:
    run = a_run("running", heartbeat_at=START - 60 * MINUTE)
    fires_after("JobSilent", 5)
    run.delete()
    clears("JobSilent", minute=7)


@pytest.mark.parametrize(
    ("groups", "alert", "minutes"), [(["outbox"], "FiguresUnreadable", 5), (None, "DatabaseUnavailable", 1)]
)
def test_figures_that_cannot_be_read(
    groups: list[str] | None, alert: str, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: datetime) -> Iterator[Any]:
        raise DatabaseError

    with monkeypatch.context() as patch:
        for group in groups or list(figures.GROUPS):
            patch.setitem(collectors.GROUPS, group, away)
        fires_after(alert, minutes)
    clears(alert, minute=minutes + 2)


@pytest.mark.parametrize(
    ("broken", "age", "alert"),
    [(2, timedelta(0), "InvariantBroken"), (0, timedelta(hours=37), "InvariantsNotVerified")],
)
def test_what_must_always_be_true(broken: int, age: timedelta, alert: str) -> None:
    InvariantOutcome.objects.create(
        name="an-invariant", sentence="s", checked_at=START - age, seconds=1, looked_at=9, broken=broken, unresolved=0
    )
    fires_after(alert, 0)
    InvariantOutcome.objects.update(broken=0, checked_at=START)
    clears(alert, minute=2)


def test_every_alert_that_can_be_seen_from_inside_has_its_case_here() -> None:
    cases = Path(__file__).read_text()
    unseen = {rule.name for rule in rules_of(site_settings.ALERT_RULES) if f'"{rule.name}"' not in cases}
    # That nobody samples is judged when the page is read (tests/console), that nothing is scraped by Prometheus alone.
    assert {name for name in unseen if not name.startswith(("Sampler", "Metrics"))} == set()
