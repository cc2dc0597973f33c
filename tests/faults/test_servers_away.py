"""Valkey and the broker away or hanging: slower, never wrong; what waits is seen, kept in order, and sent later."""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections import defaultdict

import pytest
from django.conf import settings

from kernel.outbox.queue import RELAY_LOCK
from kernel.outbox.tail import read_messages
from tests.faults.load import Load, notice_of
from tests.faults.stack import Site

# No request may take longer, whatever is away behind it.
PROMISED_SECONDS = 5.0
OUTAGE_SECONDS = 4.0
BACKLOG_ROWS = 10_000
DRAINED_SECONDS = 120.0
STAGE_MANY = """
insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, payment_channel)
select 'BACKLOG-' || n, 'LN' || n %% 50, 'CIF' || n %% 50, n, now() at time zone 'UTC' - interval '1 hour', 'shop'
from generate_series(1, %s::int) n
"""


def all_was_recorded(site: Site, load: Load) -> None:
    assert load.unexpected == []
    assert len(load.acknowledged) > 0
    ours = dict(
        site.rows(
            "select reference_number, min(id::text) from payments where reference_number like %s group by 1 "
            "having count(*) = 1",
            f"{load.name}-%",
        )
    )
    assert {reference: ours.get(reference) for reference in load.acknowledged} == load.acknowledged
    site.wait_until(
        lambda: (
            site.number("select count(*) from payments where reference_number = any (%s)", load.staged)
            == len(load.staged)
        ),
        seconds=DRAINED_SECONDS,
        what="all staged rows are recorded",
    )


@pytest.mark.parametrize("way", ["down", "hanging"])
def test_without_valkey_webhooks_are_answered_as_ever(site: Site, way: str) -> None:
    with Load(site, name=f"VALKEY-{way}", seed=1) as load:
        if way == "down":
            site.stop_own("Valkey")
        else:
            frozen = site.freeze("Valkey")
        began = time.monotonic()
        before = len(load.acknowledged)
        time.sleep(OUTAGE_SECONDS)
        answered = len(load.acknowledged) - before
        if way == "down":
            site.start_own("Valkey")
        else:
            site.thaw(frozen)
        outage = time.monotonic() - began
        time.sleep(1)

    print(f"{answered} webhooks recorded in {outage:.1f} s without Valkey, slowest {load.slowest_seconds:.2f} s")
    assert answered > 0
    assert load.slowest_seconds < PROMISED_SECONDS
    all_was_recorded(site, load)


def test_events_wait_for_a_broker_that_hangs_and_all_go_out_in_order(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wait_until(lambda: waiting(site) == 0, seconds=DRAINED_SECONDS, what="an empty queue")
    last = site.number("select coalesce(max(position), 0) from outbox_event")
    frozen = site.freeze("broker")
    try:
        site.rows(f"{STAGE_MANY} returning id", BACKLOG_ROWS)
        site.wait_until(lambda: waiting(site) >= BACKLOG_ROWS, seconds=DRAINED_SECONDS, what="a backlog")
        assert site.post(notice_of("DURING", random.Random(1)), webhook_id="during").status == 201
        # What deploy/prometheus/alerts.yml judges: the age of the oldest event that waits.
        site.wait_until(lambda: oldest_age_seconds(site) > OUTAGE_SECONDS, seconds=60, what="the alert's figure grows")
    finally:
        site.thaw(frozen)
    took = site.wait_until(lambda: waiting(site) == 0, seconds=DRAINED_SECONDS, what="all events are delivered")
    print(f"{BACKLOG_ROWS + 1} events that had waited were gone {took:.1f} s after the broker was back")

    announced: dict[str, dict[str, None]] = defaultdict(dict)
    sent = "select key, event_id::text from outbox_event where position > %s order by position"
    for key, event_id in site.rows(sent, last):
        announced[key][event_id] = None
    arrived: dict[str, dict[str, None]] = defaultdict(dict)
    monkeypatch.setattr(settings, "KAFKA_BROKERS", site.state.kafka_address_file.read_text().strip())
    for message in read_messages(settings.KAFKA_TOPIC, from_beginning=True, timeout_seconds=3):
        key, event_id = (message.key() or b"").decode(), json.loads(message.value() or b"")["event_id"]
        if event_id in announced[key]:
            # Of a repeat, the first arrival counts.
            arrived[key].setdefault(event_id)
    assert sum(len(ids) for ids in announced.values()) == BACKLOG_ROWS + 1
    assert {key: [*ids] for key, ids in arrived.items()} == {key: [*ids] for key, ids in announced.items() if ids}


def test_two_beats_two_workers_and_two_relays_double_nothing(site: Site) -> None:
    runs = "select count(*) from job_run where name = 'ingest_staging'"
    for role, command in (("beat", "run_beat"), ("worker", "run_worker"), ("relay", "relay_outbox")):
        site.start_another(role, command)
    # A relay that has its session stands by for the lock, and a beat that is up has scheduled something; the
    # first beat's session is its worker's.
    sessions = "select count(distinct pid) from pg_stat_activity where application_name = %s"
    for role, most in (("relay", 2), ("beat", 1)):
        site.wait_until(
            lambda role=role, most=most: site.number(sessions, f"paymentsite-{role}") >= most,  # type: ignore[misc]
            seconds=DRAINED_SECONDS,
            what=f"a second {role}",
        )
    before = site.number(runs)
    with Load(site, name="TWO", seed=2) as load:
        site.wait_until(lambda: len(load.staged) > 100 and site.number(runs) > before + 3, seconds=60, what="load")

    all_was_recorded(site, load)
    site.wait_until(lambda: waiting(site) == 0, seconds=DRAINED_SECONDS, what="all events are delivered")
    times = """select times, count(*) > 0 from (
                   select (select count(*) from outbox_publication where positions @> e.position) as times
                   from outbox_event e) counted group by 1"""
    assert site.rows(times) == [(1, True)]
    leaders = "select count(*) from pg_locks where locktype = 'advisory' and granted and objid = %s"
    assert site.number(leaders, RELAY_LOCK & 0xFFFFFFFF) == 1
    verified = site.manage("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def waiting(site: Site) -> int:
    return site.number("select count(*) from outbox_delivery")


def oldest_age_seconds(site: Site) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{site.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    figures = [line for line in lines if line.startswith("paymentsite_outbox_oldest_age_seconds")]
    return max((float(line.rpartition(" ")[2]) for line in figures), default=0.0)
