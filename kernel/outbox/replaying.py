"""Works through one replay: chunk after chunk at its rate, behind what waits, until it is done or told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone

from kernel.jobs.progress import Progress
from kernel.outbox.models import OutboxDelivery
from kernel.outbox.pacing import BACKLOG_MOST, Pace, chunk_size
from kernel.outbox.replays import find_replay, queue_chunk

# A wait is cut into pieces of this length, so that the wish to stop is heard soon.
NAP_SECONDS = 0.5


def run_replay(
    progress: Progress,
    replay_id: int,
    *,
    seconds: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = timezone.now,
) -> dict[str, Any]:
    """Queues what is left of the replay and gives what was queued in all. Raises JobCancelled between two chunks."""
    replay = find_replay(replay_id)
    done = replay.queued + replay.already_waiting
    pace = Pace(replay.rate, due_at=seconds())
    progress.report(phase="Queueing", done=done, total=replay.count)
    is_last = replay.finished_at is not None
    while not is_last:
        backlog = _backlog()
        if wait := pace.wait_seconds(now=seconds(), backlog=backlog):
            held = backlog >= BACKLOG_MOST
            progress.report(phase="Waiting for the broker" if held else "Queueing", done=done)
            sleep(min(wait, NAP_SECONDS))
            continue
        chunk = queue_chunk(replay_id, most=chunk_size(replay.rate), at=clock())
        pace.queued(chunk.events, now=seconds())
        done += chunk.events
        is_last = chunk.is_last
        progress.report(phase="Queueing", done=done)
    replay.refresh_from_db()
    return {"queued": replay.queued, "already_waiting": replay.already_waiting}


def _backlog() -> int:
    # No more than are needed to say that it is enough.
    return OutboxDelivery.objects.order_by("position")[:BACKLOG_MOST].count()
