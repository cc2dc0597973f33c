from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from kernel.jobs.models import JobRun
from kernel.outbox.models import OutboxDelivery
from payments.models import PaymentStaging, StagingRejection
from payments.operations.staging_table import create_staging_table
from payments.partitioning import PAYMENT_PARTITIONS, ensure_partitions_ahead
from payments.recorder import staging_table
from paymentsite.monitoring import collectors, figures, pool
from paymentsite.monitoring.exposition import database_collector, forget_ended_processes
from paymentsite.monitoring.server import make_metrics_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    database_collector.forget()


def scraped(client: Client, **headers: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def value(metrics: dict[Any, float], name: str, **labels: str) -> float:
    return metrics[(name, tuple(sorted(labels.items())))]


def test_the_database_is_read_at_the_scrape(client: Client, settings: Settings) -> None:
    now = timezone.now()
    create_staging_table()
    with connection.cursor() as cursor:
        cursor.execute(f"delete from {staging_table()}")
    for number in range(3):
        PaymentStaging.objects.create(
            reference_number=f"S-{number}",
            loan_account_number="LN1",
            cif="C1",
            amount=1,
            payment_date=datetime(2026, 11, 1),
            processed=number == 0,
            created_at=(now - timedelta(minutes=10)).replace(tzinfo=None),
        )
    StagingRejection.objects.create(reasons=["amount_missing"], raw={}, rejected_at=now)
    OutboxDelivery.objects.create(position=1, key="LN1", queued_at=now - timedelta(seconds=90))
    ensure_partitions_ahead(at=now)
    for status in ("failed", "failed", "succeeded"):
        JobRun.objects.create(
            name="a job",
            requested_by="test",
            status=status,
            status_since=now,
            queued_at=now - timedelta(minutes=1),
            finished_at=now,
        )
    metrics = scraped(client)
    assert value(metrics, "paymentsite_staging_backlog_rows") == 2
    assert 600 <= value(metrics, "paymentsite_staging_oldest_age_seconds") < 660
    assert value(metrics, "paymentsite_open_rejections") == 1
    assert value(metrics, "paymentsite_open_conflicts") == 0
    assert value(metrics, "paymentsite_outbox_waiting_events") == 1
    assert 90 <= value(metrics, "paymentsite_outbox_oldest_age_seconds") < 150
    assert value(metrics, "paymentsite_partitions_months_ahead") >= settings.PARTITION_MONTHS_AHEAD
    assert value(metrics, "paymentsite_default_partition_rows") == 0
    largest = max(partition.size_bytes for partition in PAYMENT_PARTITIONS.existing())
    assert value(metrics, "paymentsite_partition_largest_bytes") == largest
    ratio = value(metrics, "paymentsite_partition_space_ratio")
    assert ratio == pytest.approx(largest / (settings.PARTITION_SPACE_LIMIT_MB * 1024 * 1024))
    assert value(metrics, "paymentsite_job_runs", job_name="a job", status="failed") == 2
    assert value(metrics, "paymentsite_job_runs", job_name="a job", status="succeeded") == 1
    for group in figures.GROUPS:
        assert value(metrics, "paymentsite_figures_up", group=group) == 1


def test_old_job_runs_are_not_counted_but_live_ones_are(client: Client) -> None:
    now = timezone.now()
    long_ago = now - timedelta(hours=3)
    JobRun.objects.create(
        name="old", requested_by="t", status="failed", status_since=now, queued_at=long_ago, finished_at=long_ago
    )
    JobRun.objects.create(
        name="lost",
        requested_by="t",
        status="running",
        status_since=now,
        queued_at=long_ago,
        heartbeat_at=long_ago,
    )
    metrics = scraped(client)
    assert ("paymentsite_job_runs", (("job_name", "old"), ("status", "failed"))) not in metrics
    assert value(metrics, "paymentsite_job_runs", job_name="lost", status="running") == 1
    assert value(metrics, "paymentsite_job_runs_silent") == 1


def test_scrapes_within_five_seconds_read_the_database_once(client: Client) -> None:
    first = scraped(client)
    StagingRejection.objects.create(reasons=["amount_missing"], raw={}, rejected_at=timezone.now())
    again = scraped(client)
    assert value(again, "paymentsite_open_rejections") == value(first, "paymentsite_open_rejections") == 0
    database_collector.forget()
    assert value(scraped(client), "paymentsite_open_rejections") == 1


def test_a_group_that_cannot_be_read_leaves_the_others(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: datetime) -> Iterator[Any]:
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(10)")
        yield

    monkeypatch.setattr(collectors, "STATEMENT_MS", 50)
    monkeypatch.setitem(figures.GROUPS, "outbox", slow)
    metrics = scraped(client)
    assert value(metrics, "paymentsite_figures_up", group="outbox") == 0
    assert value(metrics, "paymentsite_figures_up", group="partitions") == 1
    assert ("paymentsite_outbox_waiting_events", ()) not in metrics


def test_without_a_database_the_counters_are_still_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: datetime) -> Iterator[Any]:
        raise DatabaseError

    for group in list(figures.GROUPS):
        monkeypatch.setitem(figures.GROUPS, group, away)
    metrics = scraped(client)
    assert {value(metrics, "paymentsite_figures_up", group=group) for group in figures.GROUPS} == {0}
    assert ("paymentsite_event_relay_outages_total", ()) in metrics


def test_a_database_that_hangs_does_not_hold_up_the_scrape(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hanging(_: datetime) -> Iterator[Any]:
        released.wait(10)
        return iter(())

    monkeypatch.setattr(collectors, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setitem(figures.GROUPS, "outbox", hanging)
    began = time.monotonic()
    metrics = scraped(client)
    assert time.monotonic() - began < 2
    assert {value(metrics, "paymentsite_figures_up", group=group) for group in figures.GROUPS} == {0}
    assert ("paymentsite_event_relay_outages_total", ()) in metrics
    released.set()
    monkeypatch.setattr(collectors, "PATIENCE_SECONDS", 10)
    assert value(scraped(client), "paymentsite_figures_up", group="outbox") == 1


def test_openmetrics_is_spoken_when_it_is_asked_for(client: Client) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_switched_off_there_are_none(client: Client, settings: Settings) -> None:
    settings.ENABLE_METRICS = False
    answer = client.get("/metrics")
    assert answer.status_code == 404
    assert answer.json()["code"] == "metrics-off"


def test_with_a_token_only_its_bearer_reads(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "wörd"
    for authorization in ("", "Bearer word", "wörd"):
        answer = client.get("/metrics", headers={"Authorization": authorization} if authorization else {})
        assert answer.status_code == 401
        assert answer.json()["code"] == "metrics-token-wrong"
    settings.METRICS_TOKEN = "a-word"
    elsewhere = client.get("/metrics", headers={"Authorization": "Bearer a-word"}, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 200


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("203.0.113.9", {}, 403),
        # A proxy on this machine speaks for anybody.
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
    ],
)
def test_without_a_token_only_this_machine_reads(
    client: Client, address: str, headers: dict[str, str], status: int
) -> None:
    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


class FakePool:
    def get_stats(self) -> dict[str, int]:
        return {"pool_max": 50, "pool_size": 12, "pool_available": 3, "requests_waiting": 4, "requests_errors": 1}


def test_the_pool_is_told_as_its_process_sees_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        pool = FakePool()

    monkeypatch.setattr(pool, "connection", Connection())
    metrics = scraped(client)
    told = {state: value(metrics, "paymentsite_db_pool_connections", state=state) for state in ("max", "open")}
    assert told == {"max": 50, "open": 12}
    assert value(metrics, "paymentsite_db_pool_connections", state="available") == 3
    assert value(metrics, "paymentsite_db_pool_requests_waiting") == 4
    assert value(metrics, "paymentsite_db_pool_requests_timed_out") == 1


def test_a_process_without_a_pool_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        pool = None

    monkeypatch.setattr(pool, "connection", Connection())
    assert pool.sample_pool() is False


def test_live_gauges_of_ended_processes_go_and_their_counters_stay(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"gauge_livesum_{ended.pid}.db", f"counter_{ended.pid}.db", f"gauge_livesum_{os.getpid()}.db"]
    for name in names:
        (tmp_path / name).touch()
    forget_ended_processes(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def answered(url: str, method: str = "GET") -> tuple[int, bytes]:
    try:
        request = urllib.request.Request(url, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()


def test_a_port_of_its_own_serves_the_same() -> None:
    server = make_metrics_server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        status, body = answered(f"{address}/metrics")
        assert status == 200
        assert b"paymentsite_figures_up" in body
        assert answered(f"{address}/")[0] == 404
        assert answered(f"{address}/metrics", "POST")[0] == 405
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_the_command_gathers_what_all_processes_counted_and_stops_when_told(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "METRICS_PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "paymentsite.settings",
    }
    count = (
        "import django; django.setup(); from payments.ingestion import staged_rows as s; s.labels('recorded').inc(3)"
    )
    counting = [
        subprocess.Popen([sys.executable, "-c", count], env=environment, cwd=site_settings.BASE_DIR) for _ in range(2)
    ]
    assert [process.wait(60) for process in counting] == [0, 0]
    child = subprocess.Popen(
        [sys.executable, "manage.py", "serve_metrics"], env=environment, cwd=site_settings.BASE_DIR
    )
    try:
        body = b""
        deadline = time.monotonic() + 30
        while not body and time.monotonic() < deadline:
            try:
                body = answered(f"http://127.0.0.1:{port}/metrics")[1]
            except OSError:
                time.sleep(0.1)
        assert b'paymentsite_staged_rows_total{outcome="recorded"} 6.0' in body
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


def test_the_command_says_what_is_missing(settings: Settings) -> None:
    with pytest.raises(CommandError, match="METRICS_PORT"):
        call_command("serve_metrics", port=0)
    settings.ENABLE_METRICS = False
    with pytest.raises(CommandError, match="ENABLE_METRICS"):
        call_command("serve_metrics", port=9090)


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="Cannot listen on"):
            call_command("serve_metrics", host="127.0.0.1", port=taken.getsockname()[1])
