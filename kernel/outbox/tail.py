"""Reads what is in a Kafka topic, for people who watch and for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from kernel.outbox.kafka import KafkaUnavailable, brokers

METADATA_SECONDS = 2.0
POLL_SECONDS = 0.2


def read_messages(
    topic: str, *, from_beginning: bool = False, count: int | None = None, timeout_seconds: float | None = None
) -> Iterator[Message]:
    """Messages of all partitions, as they come: at most `count` of them, until nothing came for `timeout_seconds`.

    The partitions are assigned and not subscribed to, so that a watcher neither needs a consumer group nor moves one.
    Raises KafkaUnavailable when Kafka does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": brokers(),
            "group.id": "paymentsite-tail",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        deadline = _after(timeout_seconds)
        assigned: set[int] = set()
        seen = 0
        while (count is None or seen < count) and time.monotonic() < deadline:
            if not assigned:
                assigned = _assign_all(consumer, topic, start)
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() in {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT}:
                    raise KafkaUnavailable(error.str())
                continue
            seen += 1
            deadline = _after(timeout_seconds)
            yield message
    finally:
        consumer.close()


def as_json_line(message: Message) -> str:
    """One message as one line: where it stood, its key, its headers, its body as it is."""
    line: dict[str, Any] = {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": _text(message.key()),
        "headers": headers_of_message(message),
    }
    body = _text(message.value())
    # The body is joined as text: read and written again, its exact numbers would pass through floats.
    return f'{json.dumps(line, ensure_ascii=False)[:-1]}, "body": {body}}}'


def headers_of_message(message: Message) -> dict[str, str]:
    """The headers as text, by name."""
    return {str(name): _text(value) for name, value in cast("list[tuple[str, bytes | None]]", message.headers() or [])}


def _text(raw: bytes | str | None) -> str:
    return raw if isinstance(raw, str) else (raw or b"").decode(errors="replace")


def _assign_all(consumer: Consumer, topic: str, start: int) -> set[int]:
    """Assigns the topic's partitions; none when the topic does not exist yet."""
    try:
        found = consumer.list_topics(topic, timeout=METADATA_SECONDS).topics[topic]
    except KafkaException as error:
        raise KafkaUnavailable(error.args[0].str()) from error
    if found.error is None and found.partitions:
        consumer.assign([TopicPartition(topic, partition, start) for partition in found.partitions])
        return set(found.partitions)
    time.sleep(POLL_SECONDS)
    return set()


def _after(seconds: float | None) -> float:
    return float("inf") if seconds is None else time.monotonic() + seconds
