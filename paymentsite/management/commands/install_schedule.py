"""Installs the schedule, so that beat runs it and staff can change it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from paymentsite.schedule import install_schedule


class Command(BaseCommand):
    help = "Installs the schedule into the database; what staff changed there stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        installation = install_schedule()
        self.stdout.write(
            f"{len(installation.added)} entries added, {len(installation.updated)} updated, "
            f"{len(installation.left)} left as they are."
        )
