"""Celery's door to the relay, and the job that sends events again."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from kernel.jobs.progress import Progress
from kernel.jobs.registry import job
from kernel.outbox.kafka import KafkaUnavailable
from kernel.outbox.relay import AnotherRelayIsActive, Relay
from kernel.outbox.replaying import run_replay
from kernel.outbox.replays import REPLAY_JOB

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


@job(REPLAY_JOB, title="Send events again")
def replay_events(progress: Progress, *, replay_id: int) -> dict[str, Any]:
    """Queues the events of one approved replay at its rate; asked again, it goes on after the last one it queued."""
    return run_replay(progress, replay_id)
