"""Seals what is committed and not sealed yet, as the schedule does every few seconds."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from kernel.audit.sealing import seal_all


class Command(BaseCommand):
    help = "Seals new audit entries and events into the hash chain."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sweep",
            action="store_true",
            help="also seal rows that committed more than an hour late, which verify_audit reports as never sealed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sealed = seal_all(at=timezone.now(), sweep=options["sweep"])
        self.stdout.write(f"{sealed:,} rows sealed.")
