"""The step between "the servers answer" and "the programs can start"."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from paymentsite.stack.preparation import prepare


class Command(BaseCommand):
    help = "Migrates, makes partitions, roles, the first staff user and static files; loads demo data once."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--steps-to", type=int, default=1, help="the file descriptor that gets a line per step (standard output)"
        )

    def handle(self, *args: object, steps_to: int, **options: object) -> None:
        with open(steps_to, "w", closefd=False) as steps:
            prepare(settings.STATE, say=lambda line: print(f"  {line}", file=steps, flush=True))
