"""Works on jobs. The same as `celery -A paymentsite worker`, without the memory of Celery's own command line."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from paymentsite.beat import WithBeat
from paymentsite.celery import app


class Command(BaseCommand):
    help = "Works on scheduled and requested jobs with several threads, until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--threads", type=int, default=4, help="how many jobs at once (4)")
        parser.add_argument(
            "--alone", action="store_true", help="do not look for other workers, which takes a second at every start"
        )

        parser.add_argument(
            "--with-beat", action="store_true", help="send the schedule's messages too, for which one process is enough"
        )

    def handle(self, *args: Any, threads: int, alone: bool, with_beat: bool, **options: Any) -> None:
        if with_beat:
            app.steps["worker"].add(WithBeat)
        worker = app.Worker(
            pool_cls="threads",
            concurrency=threads,
            without_gossip=alone,
            without_mingle=alone,
            loglevel="INFO",
            quiet=True,
        )
        worker.start()
        sys.exit(worker.exitcode)
