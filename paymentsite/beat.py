"""Beat as a thread of a worker, so that one machine needs no process for it.

`manage.py run_beat` is the same in a process of its own, for workers on several machines.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import Celery, bootsteps
from celery.beat import Scheduler, Service
from celery.platforms import EX_FAILURE
from celery.worker import state
from django.db import connections

logger = logging.getLogger(__name__)

# More than a message and a row for each line of the schedule take; the supervisor waits twice as long.
STOP_SECONDS = 2


class BeatThread:
    """Sends the messages of the schedule from `start` to `stop`. When it fails, the worker ends too, with a failure."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The schedule's last runs are saved when this returns, if the database answers within two seconds."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            self._send_until_stopped(Service(self._app, scheduler_cls=self._app.conf.beat_scheduler).scheduler)
        except Exception:
            logger.critical("Beat failed, so its worker ends", exc_info=True, extra={"action": "beat"})
            # The worker looks at this between messages; whoever keeps it running starts both again.
            state.should_stop = EX_FAILURE  # type: ignore[assignment]
        finally:
            connections.close_all()

    def _send_until_stopped(self, scheduler: Scheduler) -> None:
        # As celery.beat.Service does it, but for its sleep, which nothing can end.
        try:
            while not self._stopping.wait(scheduler.tick()):
                if scheduler.should_sync():
                    scheduler._do_sync()  # type: ignore[attr-defined]
        finally:
            scheduler.close()


class WithBeat(bootsteps.StartStopStep):
    """A step of the worker's start: beat begins when jobs can be worked on, and ends with the worker."""

    requires = ("celery.worker.components:Pool",)

    def create(self, parent: Any) -> BeatThread:  # type: ignore[override]
        return BeatThread(parent.app)
