"""Sends the schedule's messages. The same as `celery -A paymentsite beat`, without Celery's own command line."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

from celery.apps.beat import Beat
from django.core.management.base import BaseCommand

from paymentsite.celery import app


class StoppableBeat(Beat):
    """Celery's handler saves the schedule inside the signal, and then may wait for a lock that the same thread holds.

    Ours only ends the loop, which saves the schedule on its way out.
    """

    def install_sync_handler(self, service: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)


class Command(BaseCommand):
    help = "Sends the messages of the schedule, until SIGTERM or Ctrl-C. A second beat sends them twice, harmlessly."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        StoppableBeat(app=app, loglevel="INFO", quiet=True).run()


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit()
