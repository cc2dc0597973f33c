"""The relay: takes committed events from the queue to Kafka, in order, at least once, with one relay active at a time.

Kafka is spoken to outside any transaction. A crash between Kafka's confirmation and the queue's settlement sends the
same events, with the same ids, once more; nothing is lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from django.conf import settings

from kernel.outbox.backoff import event_delay, outage_seconds
from kernel.outbox.kafka import KafkaUnavailable, Outcome, Publisher
from kernel.outbox.metrics import EVENT_PUBLISH_SECONDS, EVENTS_DELIVERED, EVENTS_FAILED, RELAY_OUTAGES
from kernel.outbox.queue import Queue, QueuedEvent, RefusedEvent, open_queue
from kernel.outbox.wakeup import THROTTLE_SECONDS

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
STANDBY_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
OUTAGE_CHECK_SECONDS = 0.25
# How long after a wake-up the queue is looked at once more, for the commits whose own wake-up was throttled.
SECOND_LOOK_SECONDS = THROTTLE_SECONDS * 1.25
ERROR_LIMIT = 1000


class AnotherRelayIsActive(Exception):
    """Another relay holds the lock and delivers what waits."""


class Relay:
    """One relay. `stopping` may be set from a signal handler or another thread: the batch is finished first."""

    def __init__(self, stopping: threading.Event | None = None) -> None:
        self.stopping = stopping or threading.Event()
        self.delivered = 0
        self._publisher = Publisher()

    def run(self) -> None:
        """Relays until `stopping`. Waits as standby while another relay is active; survives the loss of PostgreSQL."""
        while not self.stopping.is_set():
            try:
                with open_queue() as queue:
                    self._wait_for_lead(queue)
                    self._relay(queue)
            except psycopg.OperationalError as error:
                logger.warning("The relay lost PostgreSQL", extra={"action": "relay.reconnect", "cause": str(error)})
                self.stopping.wait(RECONNECT_SECONDS)
        self._publisher.close()

    def drain(self, *, batches: int | None = None) -> int:
        """Relays until nothing is due, or for so many batches; gives the number of delivered events.

        Raises AnotherRelayIsActive, and KafkaUnavailable as soon as one batch is not confirmed.
        """
        before = self.delivered
        with open_queue() as queue:
            if not queue.lead():
                raise AnotherRelayIsActive
            while batches != 0 and not self.stopping.is_set():
                events, outage = self._relay_batch(queue)
                if outage:
                    raise KafkaUnavailable(outage)
                if not events:
                    break
                batches = batches - 1 if batches is not None else None
        self._publisher.close()
        return self.delivered - before

    def _wait_for_lead(self, queue: Queue) -> None:
        announced = False
        while not self.stopping.is_set() and not queue.lead():
            if not announced:
                logger.info("Another relay is active; this one stands by", extra={"action": "relay.standby"})
                announced = True
            self.stopping.wait(STANDBY_SECONDS)
        if not self.stopping.is_set():
            logger.info("This relay is active", extra={"action": "relay.lead"})

    def _relay(self, queue: Queue) -> None:
        failures = 0
        was_woken = False
        while not self.stopping.is_set():
            events, outage = self._relay_batch(queue)
            if outage:
                failures += 1
                self._sit_out(outage_seconds(failures))
            elif events:
                failures = 0
            else:
                was_woken = self._rest(queue, was_woken)

    def _rest(self, queue: Queue, was_woken: bool) -> bool:
        """Waits for more to do; True when a wake-up came. After one, the wait is short once (SECOND_LOOK_SECONDS)."""
        return queue.wait(SECOND_LOOK_SECONDS if was_woken else POLL_SECONDS)

    def _sit_out(self, seconds: float) -> None:
        """Waits for Kafka to come back; ends early when it has come back at another address."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._publisher.has_moved():
            if self.stopping.wait(min(OUTAGE_CHECK_SECONDS, seconds)):
                return

    def _relay_batch(self, queue: Queue) -> tuple[int, str]:
        """Claims, publishes and settles one batch. Gives how many events were tried, and why Kafka failed if it did."""
        events = first_wave(queue.claim(limit=settings.KAFKA_BATCH_SIZE, at=datetime.now(UTC)))
        if not events:
            return 0, ""
        outcome = self._publisher.publish(events, is_stopping=self.stopping.is_set)
        at = datetime.now(UTC)
        refused = [
            RefusedEvent(event.position, error[:ERROR_LIMIT], at + event_delay(event.attempts + 1))
            for event, error in outcome.refused
        ]
        if outcome.delivered or refused:
            queue.settle(outcome.delivered, refused, at=at)
        self._report(outcome, at)
        return len(events), outcome.outage

    def _report(self, outcome: Outcome, at: datetime) -> None:
        self.delivered += len(outcome.delivered)
        EVENTS_DELIVERED.inc(len(outcome.delivered))
        EVENTS_FAILED.inc(len(outcome.refused))
        for event in outcome.delivered:
            EVENT_PUBLISH_SECONDS.observe(max((at - event.queued_at).total_seconds(), 0.0))
        for event, error in outcome.refused:
            logger.error(
                "Kafka refused an event", extra={"action": "event.refused", "position": event.position, "cause": error}
            )
        if outcome.outage:
            RELAY_OUTAGES.inc()
            logger.warning("Kafka did not confirm a batch", extra={"action": "relay.outage", "cause": outcome.outage})


def first_wave(events: Sequence[QueuedEvent]) -> Sequence[QueuedEvent]:
    """The events that may travel together: those before the first that was refused earlier, or that one alone.

    A broker refuses all the messages of one request for the sake of one of them; alone, that one shows itself.
    """
    for place, event in enumerate(events):
        if event.attempts:
            return events[: place or 1]
    return events
