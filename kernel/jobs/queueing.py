"""Tells the Celery workers that a run waits for them."""

from __future__ import annotations

from uuid import UUID

import structlog
from celery import current_app
from kombu.exceptions import OperationalError

# Named, not imported: the tasks are a door, and operations know no door.
RUN_TASK = "kernel.jobs.tasks.run_queued_job"
# A message that no worker took within this time is dropped; the sweep sends another while the run is queued.
MESSAGE_LIFE_SECONDS = 600

log = structlog.get_logger(__name__)


def announce(run_id: UUID) -> bool:
    """Sends the message, without retries so that no request waits for a broker. False when the broker is away."""
    try:
        current_app.send_task(
            RUN_TASK, args=[str(run_id)], retry=False, ignore_result=True, expires=MESSAGE_LIFE_SECONDS
        )
    except (OperationalError, OSError) as failure:
        log.warning(
            "The broker did not take the message; the sweep will send it.",
            action="job.announce",
            run=str(run_id),
            error=type(failure).__name__,
        )
        return False
    return True
