"""`manage.py load_demo`: invented data for a first look, and as many more staged rows as a trial wants."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kernel.errors import PaymentsiteError
from paymentsite.demo import load_demo_clients, load_demo_records, stage_demo_file, stage_generated_rows


class Command(BaseCommand):
    help = "Stages the demo payments and makes the demo channels and API client; or, with --rows, stages more rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, help="stage so many generated rows, 5 %% of them repeats, and no more")
        parser.add_argument("--seed", type=int, help="the same seed gives the same rows (default: the time)")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        rows, seed = options["rows"], options["seed"]
        if rows is not None and rows < 1:
            raise CommandError("--rows: give a whole number from 1 up.")
        try:
            if rows is not None:
                imported = stage_generated_rows(rows, at=at, seed=int(at.timestamp()) if seed is None else seed)
            else:
                load_demo_clients(at=at)
                load_demo_records(at=at)
                imported = stage_demo_file(at=at)
        except PaymentsiteError as error:
            raise CommandError(f"{error.detail} {error.next_step}") from error
        self.stdout.write(f"{imported.staged} rows staged, {imported.rejected} lines kept as rejections.")
