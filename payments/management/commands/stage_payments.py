"""`manage.py stage_payments FILE`: puts payments from a CSV file into the staging table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kernel.errors import PaymentsiteError
from payments.operations.staging_import import stage_lines
from payments.stagingfile import COLUMNS, read_staging_file


class Command(BaseCommand):
    help = f"Stages the payments of a CSV file with the columns {', '.join(COLUMNS)}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                imported = stage_lines(read_staging_file(lines), origin=path.name, at=timezone.now())
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{path} is not UTF-8 at byte {error.start}; nothing is staged.") from error
        except PaymentsiteError as error:
            raise CommandError(f"{path}: {error.detail} {error.next_step} Nothing is staged.") from error
        self.stdout.write(f"{imported.staged} rows staged, {imported.rejected} lines kept as rejections.")
