"""What reaches the broker, read by a consumer of its own as it comes, with how long each event was on its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from confluent_kafka import Consumer, Message, TopicPartition
from django.conf import settings

ANSWER_SECONDS = 20
POLL_SECONDS = 0.2


@contextmanager
def consuming(address: str, **options: Any) -> Generator[Consumer]:
    """A consumer of its own group, which is closed afterwards."""
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": f"bench-{uuid4()}", "enable.auto.commit": False, **options}
    )
    try:
        yield consumer
    finally:
        consumer.close()


def ends(consumer: Consumer) -> list[TopicPartition]:
    """Each partition of the topic of payments, with the offset that its next message will have."""
    known = consumer.list_topics(settings.KAFKA_TOPIC, timeout=ANSWER_SECONDS).topics[settings.KAFKA_TOPIC]
    return [TopicPartition(settings.KAFKA_TOPIC, number, _end(consumer, number)) for number in known.partitions]


def count_arrived(address: str) -> int:
    """How many messages the broker was given in its life, by its own count."""
    with consuming(address) as consumer:
        return sum(partition.offset for partition in ends(consumer))


def _end(consumer: Consumer, number: int) -> int:
    offsets = consumer.get_watermark_offsets(
        TopicPartition(settings.KAFKA_TOPIC, number), timeout=ANSWER_SECONDS, cached=False
    )
    assert offsets is not None
    return offsets[1]


class Arrivals:
    """Reads while it is entered, from the moment of entering on. Latencies are in ms, by where the payment came from.

    An event's own time is when its door read the clock, before anything was written: so a latency has the recording
    and its commit in it, and is never less than the time from the commit to the broker.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.by_source: dict[str, list[float]] = {"webhook": [], "staging": []}
        self.ids: set[str] = set()
        self.messages = 0
        self._done = threading.Event()
        self._reads = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Arrivals:
        self._thread.start()
        if not self._reads.wait(ANSWER_SECONDS):
            raise TimeoutError("The consumer did not begin.") from self._failed
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def wait_for(self, events: int) -> None:
        """Until so many different ones are there. Raises TimeoutError."""
        until = time.monotonic() + ANSWER_SECONDS
        while len(self.ids) < events:
            if self._failed or time.monotonic() > until:
                raise TimeoutError(f"{len(self.ids)} of {events} events have come.") from self._failed
            time.sleep(0.01)

    def forget_latencies(self) -> None:
        for latencies in self.by_source.values():
            latencies.clear()

    def _read(self) -> None:
        try:
            with consuming(self.address, **{"fetch.wait.max.ms": 5}) as consumer:
                consumer.assign(ends(consumer))
                self._reads.set()
                while not self._done.is_set():
                    message = consumer.poll(POLL_SECONDS)
                    if message is not None:
                        self._note(message, time.time())
        except BaseException as error:
            self._failed = error

    def _note(self, message: Message, came_at: float) -> None:
        if message.error() is not None:
            raise RuntimeError(message.error())
        headers = cast("list[tuple[str, bytes]]", message.headers())
        attributes = {name: value.decode() for name, value in headers}
        occurred_at = datetime.fromisoformat(attributes["ce_time"]).timestamp()
        source = "staging" if b'"staging"' in (message.value() or b"") else "webhook"
        self.by_source[source].append((came_at - occurred_at) * 1000)
        self.messages += 1
        self.ids.add(attributes["ce_id"])
