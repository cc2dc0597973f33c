"""The step between "the servers answer" and "the programs can start"."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import BaseCommand

from paymentsite.stack.preparation import prepare


class Command(BaseCommand):
    help = "Migrates, makes partitions, roles, the first staff user and static files; loads demo data once."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        prepare(settings.STATE, say=self.say)

    def say(self, line: str) -> None:
        self.stdout.write(f"  {line}")
        self.stdout.flush()
