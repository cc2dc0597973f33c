"""A topic of its own for each test, events in the queue, and what the broker really holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Message
from django.contrib.auth.models import Permission, User
from django.db import connection

from kernel.jobs import operations as jobs
from kernel.outbox.operations import Event, announce
from kernel.outbox.relay import Relay
from kernel.outbox.tail import read_messages
from kernel.transactions import unit_of_work

AT = datetime(2026, 3, 4, 5, 6, 7, 891000, tzinfo=UTC)


@pytest.fixture
def topic() -> str:
    return f"test.{uuid4().hex[:12]}"


@pytest.fixture
def queue_events(topic: str) -> Callable[..., list[int]]:
    """Queues events with bodies {"n": 0…}, spread over the keys in turn, and gives their positions."""

    def queue(count: int, *, keys: tuple[str, ...] = ("A-1",), starting_at: int = 0) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                with recorded as (
                    insert into outbox_event
                        (event_id, event_type, source, subject, topic, key, body, occurred_at)
                    select gen_random_uuid(), 'thing.happened', '/tests', 'thing/' || n, %s,
                        (%s::text[])[1 + n %% %s], '{"n": ' || n || '}', now()
                    from generate_series(%s::int, %s::int) as n
                    returning position, key
                ), queued as (insert into outbox_delivery (position, key) select position, key from recorded)
                select position from recorded order by position
                """,
                [topic, list(keys), len(keys), starting_at, starting_at + count - 1],
            )
            return [position for (position,) in cursor.fetchall()]

    return queue


@pytest.fixture
def published(topic: str) -> Callable[..., list[Message]]:
    """The messages that the broker holds, partition by partition in their order; waits for at least `count`."""

    def read(count: int | None = None, *, quiet_seconds: float = 1.5) -> list[Message]:
        messages = list(read_messages(topic, from_beginning=True, count=count, timeout_seconds=10 if count else 0.1))
        seen = {(message.partition(), message.offset()) for message in messages}
        rest = read_messages(topic, from_beginning=True, timeout_seconds=quiet_seconds)
        return messages + [message for message in rest if (message.partition(), message.offset()) not in seen]

    return read


@pytest.fixture
def running_relays() -> Generator[Callable[[], Relay]]:
    """Starts relays in threads of their own and stops them after the test."""
    started: list[tuple[Relay, threading.Thread]] = []

    def start() -> Relay:
        relay = Relay()
        thread = threading.Thread(target=relay.run, daemon=True)
        thread.start()
        started.append((relay, thread))
        return relay

    yield start
    for relay, _ in started:
        relay.stopping.set()
    for _, thread in started:
        thread.join(timeout=15)
        assert not thread.is_alive(), "A relay did not stop."


@pytest.fixture
def announce_one(topic: str) -> Callable[..., int]:
    @unit_of_work
    def announced(*, key: str = "A-1", body: dict[str, object] | None = None, subject: str = "thing/1") -> int:
        event = Event(
            event_type="thing.happened", source="/tests", subject=subject, topic=topic, key=key, body=body or {"n": 0}
        )
        return announce(event, at=AT).position

    return announced


def numbers(messages: list[Message]) -> list[int]:
    """The n of each message's body."""
    return [int((message.value() or b"").decode().removeprefix('{"n": ').removesuffix("}")) for message in messages]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    runs: list[Any] = []

    def announce(run_id: Any) -> bool:
        runs.append(run_id)
        return True

    monkeypatch.setattr(jobs, "announce", announce)
    return runs


@pytest.fixture
def person() -> Callable[..., User]:
    def made(name: str, *codenames: str) -> User:
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return user

    return made


@pytest.fixture
def operator(person: Callable[..., User]) -> User:
    return person("operator", "replay_event", "view_outboxevent", "view_outboxreplay")


@pytest.fixture
def approver(person: Callable[..., User]) -> User:
    return person("approver", "approve_replay")
