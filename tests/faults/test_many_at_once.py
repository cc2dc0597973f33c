"""Ten ingestions, two relays, late commits at once: nothing doubled, nothing skipped, order kept for each account."""

from __future__ import annotations

import json
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from kernel.outbox.relay import Relay
from kernel.outbox.tail import read_messages
from tests.faults.test_kill_points import nothing_half, rows, zygote
from tests.faults.test_supervisor import wait_for
from tests.payments.staged import count, prepare_staging, stage_many

pytestmark = pytest.mark.django_db(transaction=True)
STAGED = 6_000
INGESTIONS = 10
EVENTS = 100_000
WRITERS = 20
EVENTS_AT_ONCE = 50
SEED = 7
DRAINED_SECONDS = 180
ANNOUNCE = """
with recorded as (
    insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)
    select gen_random_uuid(), 'thing.happened', '/tests', 'thing/' || n, %s, %s, '{"n": ' || n || '}', now()
    from generate_series(%s::int, %s::int) n order by n
    returning position, key
)
insert into outbox_delivery (position, key) select position, key from recorded
"""


def test_ten_ingestions_at_once_record_every_row_once() -> None:
    prepare_staging()
    distinct = stage_many(STAGED, duplicate_every=20)
    with zygote(PAYMENTSITE_ROLE="worker") as worker:
        endings = worker.call_together([("ingest_staging", {"batch_size": 100})] * INGESTIONS)

    assert [ending.signal for ending in endings] == [None] * INGESTIONS
    nothing_half()
    assert count("payments") == distinct
    assert count("staging_duplicate") == STAGED - distinct
    assert count("payment_staging", "processed is not true") == 0
    assert rows("select sum(total_records) from staging_process_log") == [(STAGED,)]
    accounts = (
        "select count(*) from (select key, array_agg(subject order by position) from outbox_event group by key) k"
    )
    assert rows(accounts)[0][0] == len(rows("select distinct loan_account_number from payments"))


@pytest.fixture
def relays() -> Iterator[list[Relay]]:
    """Two that run: one delivers, the other stands by."""
    running = [Relay(), Relay()]
    threads = [threading.Thread(target=relay.run, daemon=True) for relay in running]
    for thread in threads:
        thread.start()
    yield running
    for relay in running:
        relay.stopping.set()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_no_event_is_skipped_or_doubled_when_transactions_commit_in_any_order(relays: list[Relay]) -> None:
    topic = f"test.late-{uuid4().hex[:8]}"
    commit_out_of_order(topic, random.Random(SEED))
    assert wait_for(lambda: count("outbox_delivery") == 0, DRAINED_SECONDS)

    arrived: dict[str, list[int]] = defaultdict(list)
    for message in read_messages(topic, from_beginning=True, count=EVENTS, timeout_seconds=20):
        arrived[(message.key() or b"").decode()].append(json.loads(message.value() or b"")["n"])
    assert sum(len(numbers) for numbers in arrived.values()) == EVENTS
    each = EVENTS // WRITERS
    assert arrived == {f"LN{writer}": [*range(each)] for writer in range(WRITERS)}
    assert sum(relay.delivered for relay in relays) == EVENTS
    assert min(relay.delivered for relay in relays) == 0
    assert rows("select sum(events) from outbox_publication") == [(EVENTS,)]


def commit_out_of_order(topic: str, chance: random.Random) -> None:
    """Twenty sessions write in turn and commit in another order: low positions appear after higher ones."""
    database = connection.settings_dict
    parameters = {"host": database["HOST"], "user": database["USER"], "dbname": database["NAME"]}
    sessions = [psycopg.connect(**parameters) for _ in range(WRITERS)]
    for start in range(0, EVENTS // WRITERS, EVENTS_AT_ONCE):
        for writer in chance.sample(range(WRITERS), WRITERS):
            values = (topic, f"LN{writer}", start, start + EVENTS_AT_ONCE - 1)
            sessions[writer].execute(ANNOUNCE, values)
        for writer in chance.sample(range(WRITERS), WRITERS):
            sessions[writer].commit()
    for session in sessions:
        session.close()
    assert settings.KAFKA_BROKERS
