"""The embedded Kafka-protocol broker: librdkafka's own, in memory, reachable by other processes on 127.0.0.1."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Producer

from paymentsite.stack.programs import OwnProgram

ANSWER_SECONDS = 10


class EmbeddedBroker:
    """A broker that lives as long as this object. What it held is gone with it: the outbox is what keeps events."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        try:
            brokers = self._producer.list_topics(timeout=ANSWER_SECONDS).brokers.values()
        except KafkaException as error:
            raise RuntimeError(f"The embedded broker did not answer within {ANSWER_SECONDS} s: {error}") from error
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def answers(self) -> bool:
        try:
            return bool(self._producer.list_topics(timeout=ANSWER_SECONDS).brokers)
        except KafkaException:
            return False


def write_address(path: Path, address: str) -> None:
    """Replaces the file in one step: a reader sees the old address or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(address + "\n")
    draft.replace(path)


def read_address(path: Path) -> str | None:
    """The address that the running broker has written; None when there is none."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


class BrokerProgram(OwnProgram):
    """`manage.py mockkafka`, which is up when it has written its address."""

    def __init__(self, arguments: list[str], *, address_file: Path, **options: Any) -> None:
        super().__init__("kafka", arguments, role="command", **options)
        self.address_file = address_file

    def prepare(self) -> None:
        """The address of a broker that is gone would only send its readers astray."""
        self.address_file.unlink(missing_ok=True)

    def answers(self) -> bool:
        return read_address(self.address_file) is not None
