"""The relay against a real broker and a real database: nothing lost, nothing reordered, one relay at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Message
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from kernel.outbox.kafka import KafkaUnavailable
from kernel.outbox.models import OutboxDelivery, OutboxEvent, OutboxPublication
from kernel.outbox.queue import RELAY_LOCK, open_queue
from kernel.outbox.relay import AnotherRelayIsActive, Relay
from kernel.outbox.tail import headers_of_message
from kernel.outbox.tasks import relay_outbox
from paymentsite.stack.kafka import EmbeddedBroker, write_address
from tests.kernel.outbox.conftest import numbers

pytestmark = pytest.mark.django_db(transaction=True)

Queue = Callable[..., list[int]]
Published = Callable[..., list[Message]]
REPOSITORY = Path(__file__).resolve().parents[3]
TOO_LARGE = 1_200_000


def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.02)


def nothing_waits() -> bool:
    return not OutboxDelivery.objects.exists()


def relay_lock_is_held() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_locks join pg_database on pg_database.oid = database"
            " where locktype = 'advisory' and datname = current_database()"
            " and classid::bigint << 32 | objid::bigint = %s and granted)",
            [RELAY_LOCK],
        )
        return bool(cursor.fetchone()[0])


def by_key(messages: list[Message]) -> dict[bytes, list[int]]:
    order: dict[bytes, list[int]] = defaultdict(list)
    for message in messages:
        order[message.key() or b""] += numbers([message])
    return order


def test_every_waiting_event_is_delivered_exactly_once(queue_events: Queue, published: Published) -> None:
    positions = queue_events(1234, keys=("A-1", "A-2", "A-3"))
    assert Relay().drain() == 1234
    assert sorted(numbers(published(1234))) == list(range(1234))
    assert nothing_waits()
    assert sum(OutboxPublication.objects.values_list("events", flat=True)) == 1234
    assert OutboxPublication.objects.filter(positions__holds=positions[700]).count() == 1
    assert Relay().drain() == 0


def test_events_of_one_key_keep_the_order_of_their_positions(queue_events: Queue, published: Published) -> None:
    queue_events(900, keys=("A-1", "A-2", "A-3"))
    Relay().drain()
    order = by_key(published(900))
    assert order == {f"A-{1 + place}".encode(): list(range(place, 900, 3)) for place in range(3)}


def test_an_event_committed_late_with_a_lower_position_is_not_skipped(
    queue_events: Queue, published: Published, topic: str
) -> None:
    with psycopg.connect("", **own_parameters()) as late:
        [(lower,)] = late.execute(
            "with e as (insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)"
            " values (gen_random_uuid(), 'thing.happened', '/tests', '', %s, 'A-9', '{\"n\": 77}', now())"
            " returning position, key), d as (insert into outbox_delivery (position, key) select * from e)"
            " select position from e",
            [topic],
        ).fetchall()
        higher = queue_events(5)
        assert lower < min(higher)
        assert Relay().drain() == 5
        late.commit()
    assert Relay().drain() == 1
    assert sorted(numbers(published(6))) == [0, 1, 2, 3, 4, 77]


def test_two_relays_at_once_deliver_nothing_twice(
    queue_events: Queue, published: Published, running_relays: Callable[[], Relay]
) -> None:
    relays = [running_relays(), running_relays()]
    for start in range(0, 2000, 200):
        queue_events(200, keys=("A-1", "A-2"), starting_at=start)
    until(nothing_waits)
    assert sorted(numbers(published(2000))) == list(range(2000))
    assert sorted(relay.delivered for relay in relays) == [0, 2000]


def test_the_standby_takes_over_when_the_active_relay_loses_its_connection(
    queue_events: Queue, published: Published, running_relays: Callable[[], Relay]
) -> None:
    first = running_relays()
    until(relay_lock_is_held)
    second = running_relays()
    queue_events(10)
    until(nothing_waits)
    with connection.cursor() as cursor:
        cursor.execute(
            # Of this database: other test runs on the server have relays of their own.
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
            " and database = (select oid from pg_database where datname = current_database())"
            " and classid::bigint << 32 | objid::bigint = %s",
            [RELAY_LOCK],
        )
    queue_events(10, starting_at=10)
    until(nothing_waits)
    assert first.delivered + second.delivered == 20
    assert sorted(numbers(published(20))) == list(range(20))


def test_a_relay_that_finds_another_active_leaves_the_queue_alone(queue_events: Queue) -> None:
    queue_events(3)
    with open_queue() as active:
        assert active.lead()
        with pytest.raises(AnotherRelayIsActive):
            Relay().drain()
        relay_outbox()
    assert OutboxDelivery.objects.filter(attempts=0).count() == 3


def test_events_wait_while_the_broker_is_down_and_leave_when_it_is_back_on_another_port(
    queue_events: Queue,
    published: Published,
    running_relays: Callable[[], Relay],
    settings: LazySettings,
    tmp_path: Path,
) -> None:
    settings.KAFKA_BROKERS, settings.KAFKA_ADDRESS_FILE = None, tmp_path / "kafka.address"
    broker = EmbeddedBroker()
    write_address(settings.KAFKA_ADDRESS_FILE, broker.address)
    running_relays()
    queue_events(10, keys=("A-1", "A-2"))
    until(nothing_waits)
    del broker
    queue_events(300, keys=("A-1", "A-2"), starting_at=10)
    time.sleep(2)
    assert OutboxDelivery.objects.filter(attempts=0, last_error="").count() == 300
    returned = EmbeddedBroker()
    write_address(settings.KAFKA_ADDRESS_FILE, returned.address)
    back_at = time.monotonic()
    until(nothing_waits)
    assert time.monotonic() - back_at < 5
    assert by_key(published(300)) == {b"A-1": list(range(10, 310, 2)), b"A-2": list(range(11, 310, 2))}


def test_without_a_broker_draining_says_so_and_no_event_is_blamed(
    queue_events: Queue, settings: LazySettings, tmp_path: Path
) -> None:
    settings.KAFKA_BROKERS, settings.KAFKA_ADDRESS_FILE = None, tmp_path / "missing"
    queue_events(3)
    with pytest.raises(KafkaUnavailable, match="not running"):
        Relay().drain()
    assert OutboxDelivery.objects.filter(attempts=0, last_error="", next_attempt_at=None).count() == 3


def test_an_oversize_event_holds_back_its_own_key_only(
    queue_events: Queue, announce_one: Callable[..., int], published: Published
) -> None:
    too_large = announce_one(key="A-1", body={"text": "x" * TOO_LARGE})
    queue_events(20, keys=("A-1", "A-2"))
    assert Relay().drain() == 10
    assert OutboxDelivery.objects.filter(key="A-1").count() == 11
    refused = OutboxDelivery.objects.get(position=too_large)
    assert refused.attempts == 1
    assert "too large" in refused.last_error
    assert refused.next_attempt_at is not None
    assert timedelta(0) < refused.next_attempt_at - timezone.now() <= timedelta(seconds=2)
    assert numbers(published(10)) == list(range(1, 20, 2))


def test_a_refused_event_is_tried_again_alone_and_waits_longer_each_time(
    announce_one: Callable[..., int], queue_events: Queue
) -> None:
    too_large = announce_one(key="A-1", body={"text": "x" * TOO_LARGE})
    queue_events(4, keys=("A-2",))
    Relay().drain()
    OutboxDelivery.objects.filter(position=too_large).update(attempts=12, next_attempt_at=timezone.now())
    assert Relay().drain() == 0
    refused = OutboxDelivery.objects.get()
    assert refused.attempts == 13
    assert refused.next_attempt_at is not None
    assert timedelta(seconds=140) < refused.next_attempt_at - timezone.now() <= timedelta(seconds=300)


def test_killing_the_relay_in_the_middle_loses_nothing(queue_events: Queue, published: Published) -> None:
    queue_events(6000, keys=("A-1", "A-2", "A-3"))
    relay = start_relay_process()
    until(lambda: OutboxPublication.objects.count() >= 2)
    relay.kill()
    relay.wait()
    assert not nothing_waits(), "The relay was too fast to be killed in the middle."
    ids = set(OutboxEvent.objects.values_list("event_id", flat=True))
    until(lambda: not relay_lock_is_held())
    call_command("relay_outbox", "--until-empty")
    messages = published(6000)
    assert set(numbers(messages)) == set(range(6000))
    assert {headers_of_message(message)["ce_id"] for message in messages} == {str(one) for one in ids}
    for place, key in enumerate((b"A-1", b"A-2", b"A-3")):
        first_seen = list(dict.fromkeys(by_key(messages)[key]))
        assert first_seen == list(range(place, 6000, 3))


def test_sigterm_ends_the_relay_with_exit_code_0(queue_events: Queue) -> None:
    queue_events(10)
    relay = start_relay_process()
    until(nothing_waits)
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(timeout=10) == 0


def test_a_crash_between_confirmation_and_settlement_repeats_the_same_ids(
    queue_events: Queue, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_events(3)
    with monkeypatch.context() as patch:
        patch.setattr("kernel.outbox.queue.Queue.settle", _crash)
        with pytest.raises(psycopg.OperationalError):
            Relay().drain()
    assert OutboxDelivery.objects.count() == 3
    assert Relay().drain() == 3
    ids = [headers_of_message(message)["ce_id"] for message in published(6)]
    assert len(ids) == 6
    assert len(set(ids)) == 3


def _crash(*_: object, **__: object) -> None:
    raise psycopg.OperationalError("the connection was lost")


def own_parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}


def start_relay_process() -> subprocess.Popen[bytes]:
    parameters = own_parameters()
    url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
    environment = os.environ | {"DATABASE_URL": url, "NODE_ENV": "test", "KAFKA_BATCH_SIZE": "100"}
    return subprocess.Popen([sys.executable, "manage.py", "relay_outbox"], cwd=REPOSITORY, env=environment)
