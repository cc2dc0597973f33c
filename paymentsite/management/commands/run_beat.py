"""Sends the schedule's messages. The same as `celery -A paymentsite beat`, without Celery's own command line."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from paymentsite.celery import app


class Command(BaseCommand):
    help = "Sends the messages of the schedule, until SIGTERM or Ctrl-C. A second beat sends them twice, harmlessly."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        app.Beat(loglevel="INFO", quiet=True).run()
