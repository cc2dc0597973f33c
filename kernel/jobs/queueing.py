"""Tells the Celery workers that a run waits for them."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

# Named, not imported: the tasks are a door, and operations know no door.
RUN_TASK = "kernel.jobs.tasks.run_queued_job"
# A message that no worker took within this time is dropped; the sweep sends another while the run is queued.
MESSAGE_LIFE_SECONDS = 600

logger = logging.getLogger(__name__)


def announce(run_id: UUID) -> bool:
    """Sends the message, without retries so that no request waits for a broker. False when the broker is away."""
    try:
        current_app.send_task(
            RUN_TASK, args=[str(run_id)], retry=False, ignore_result=True, expires=MESSAGE_LIFE_SECONDS
        )
    except (OperationalError, OSError) as failure:
        extra = {"action": "announce_job", "run": str(run_id), "error": type(failure).__name__}
        logger.warning("Broker did not take the message; the sweep will send it", extra=extra)
        return False
    return True
