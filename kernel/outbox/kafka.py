"""Kafka as the outbox needs it: where it is, how an event becomes a message, and a producer that keeps order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from django.conf import settings

from kernel.errors import Unavailable
from kernel.outbox.messages import headers_of
from kernel.outbox.queue import QueuedEvent

logger = logging.getLogger(__name__)

CONFIRMATION_SECONDS = 10.0
POLL_SECONDS = 0.05
ADDRESS_CHECK_SECONDS = 0.5
PRODUCER_SETTINGS: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    # A message that the broker refuses stops the producer, in place of letting later ones of its key overtake it.
    "enable.gapless.guarantee": True,
    # No message times out alone, which would open such a gap too: Publisher gives up the whole batch at once.
    "message.timeout.ms": 0,
    "topic.metadata.propagation.max.ms": 5000,
    "linger.ms": 2,
    "compression.type": "lz4",
    # The key picks the same partition as it does in the Java clients.
    "partitioner": "murmur2_random",
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "socket.keepalive.enable": True,
}
# What says something about the event itself. Everything else says that Kafka is not there or not well, and then
# no event is to blame.
BLAMES_THE_EVENT = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._INVALID_ARG,
    }
)


class KafkaUnavailable(Unavailable):
    """Kafka did not confirm in time. Nothing is lost: the events wait."""

    code = "kafka-unavailable"
    title = "Kafka is not available"


@dataclass(slots=True)
class Outcome:
    """What became of a batch. Events in neither list were not confirmed, for the reason in `outage`, or stood behind
    a refused event of their key; they are still queued.
    """

    delivered: list[QueuedEvent] = field(default_factory=list)
    refused: list[tuple[QueuedEvent, str]] = field(default_factory=list)
    outage: str = ""


def brokers() -> str:
    """host:port of one or more brokers, now: the embedded broker has another port each time it starts.

    Raises KafkaUnavailable when neither KAFKA_BROKERS nor the address file says where Kafka is.
    """
    if settings.KAFKA_BROKERS:
        return str(settings.KAFKA_BROKERS)
    try:
        address = settings.KAFKA_ADDRESS_FILE.read_text().strip()
    except OSError:
        address = ""
    if not address:
        raise KafkaUnavailable("The embedded broker has not written its address: it is not running.")
    return str(address)


class Publisher:
    """Publishes batches in order and says what became of each event. Not for several threads."""

    def __init__(self) -> None:
        self._producer: Producer | None = None
        self._address = ""
        self._fatal = ""
        self._last_error = ""

    def publish(self, events: Sequence[QueuedEvent], *, is_stopping: Callable[[], bool] = lambda: False) -> Outcome:
        """Sends the events and waits until each is confirmed or refused, or until Kafka is given up for this time."""
        outcome = Outcome()
        try:
            producer = self._connected()
        except KafkaUnavailable as error:
            outcome.outage = error.detail
            return outcome
        self._send(producer, events, outcome)
        self._await_reports(producer, outcome, is_stopping)
        if outcome.outage:
            self.close()
        return outcome

    def has_moved(self) -> bool:
        """True when Kafka's address is another than the one last used."""
        try:
            return brokers() != self._address
        except KafkaUnavailable:
            return False

    def close(self) -> None:
        """Gives the producer up with whatever it still holds. The next batch gets a new one."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.poll(0)
            self._producer = None

    def _connected(self) -> Producer:
        address = brokers()
        if self._producer is None or address != self._address:
            self.close()
            self._address, self._fatal, self._last_error = address, "", ""
            self._producer = Producer(
                PRODUCER_SETTINGS
                | {
                    "bootstrap.servers": address,
                    "client.id": settings.KAFKA_CLIENT_ID,
                    "error_cb": self._note_error,
                    "logger": logger,
                    # Every attempt to reconnect would be a line: the relay logs an outage once for each batch.
                    "log_level": 2,
                }
            )
        return self._producer

    def _send(self, producer: Producer, events: Sequence[QueuedEvent], outcome: Outcome) -> None:
        """Hands the events to the client's queue, but none whose key has just been refused."""
        refused_keys: set[str] = set()
        for event in events:
            if event.key in refused_keys:
                continue
            report = partial(_note_report, outcome, event)
            try:
                producer.produce(
                    event.topic, event.body.encode(), event.key.encode(), headers=headers_of(event), on_delivery=report
                )
            except BufferError:
                # The client's queue is full: what follows stays for the next batch.
                return
            except KafkaException as refusal:
                _note_report(outcome, event, refusal.args[0], None)
                refused_keys.add(event.key)

    def _await_reports(self, producer: Producer, outcome: Outcome, is_stopping: Callable[[], bool]) -> None:
        started = address_checked = time.monotonic()
        while producer.flush(POLL_SECONDS) > 0:
            now = time.monotonic()
            limit = CONFIRMATION_SECONDS / 4 if is_stopping() else CONFIRMATION_SECONDS
            if self._fatal or now - started > limit:
                outcome.outage = (
                    outcome.outage or self._fatal or f"No confirmation within {limit:g} s. {self._last_error}"
                )
                return
            if now - address_checked > ADDRESS_CHECK_SECONDS:
                address_checked = now
                if self.has_moved():
                    outcome.outage = "The broker is now at another address."
                    return
        outcome.outage = outcome.outage or self._fatal

    def _note_error(self, error: KafkaError) -> None:
        self._last_error = error.str()
        if error.fatal():
            self._fatal = error.str()


def _note_report(outcome: Outcome, event: QueuedEvent, error: KafkaError | None, _message: Message | None) -> None:
    if error is None:
        outcome.delivered.append(event)
    elif error.code() in BLAMES_THE_EVENT:
        outcome.refused.append((event, error.str()))
    else:
        outcome.outage = outcome.outage or error.str()
