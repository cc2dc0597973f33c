"""Celery's door to the relay."""

from __future__ import annotations

import logging

from celery import shared_task

from kernel.outbox.kafka import KafkaUnavailable
from kernel.outbox.relay import AnotherRelayIsActive, Relay

logger = logging.getLogger(__name__)


@shared_task(name="kernel.outbox.tasks.relay_outbox")
def relay_outbox() -> None:
    """The safety sweep: delivers what waits when no relay runs; does nothing when one is active."""
    try:
        delivered = Relay().drain()
    except AnotherRelayIsActive:
        return
    except KafkaUnavailable as error:
        # The events wait and the next sweep comes by itself.
        logger.warning("The sweep found no Kafka", extra={"action": "relay.sweep", "cause": error.detail})
        return
    if delivered:
        logger.info("The sweep delivered events", extra={"action": "relay.sweep", "events": delivered})
