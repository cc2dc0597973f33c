"""`manage.py partitions`: keeps the monthly partitions ahead and shows them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kernel.periods import Month
from payments.models import PartitionArchive
from payments.partitioning import PAYMENT_PARTITIONS, ensure_partitions_ahead, move_stray_payments, oldest_kept


class Command(BaseCommand):
    help = "Makes the partitions of payments that the coming months need, and lists all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail when something is missing")
        parser.add_argument(
            "--move-default", action="store_true", help="move payments out of the default partition into their months"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        if options["move_default"] and not options["check"]:
            self.stdout.write(f"{move_stray_payments()} payments moved out of the default partition.")
        made = [] if options["check"] else ensure_partitions_ahead(at=at)
        kept_from = oldest_kept(at)
        existing = PAYMENT_PARTITIONS.existing()
        for partition in existing:
            notes = [
                "new" if partition.month in made else "",
                "due for the archive" if partition.month < kept_from else "",
            ]
            rows = "not analysed" if partition.rows < 0 else f"about {partition.rows} rows"
            note = "; ".join(note for note in notes if note)
            size = f"{partition.size_bytes / 1024**2:.1f} MB"
            self.stdout.write(f"{partition.name}  {rows}, {size}{'  ' + note if note else ''}")
        for archive in PartitionArchive.objects.order_by("month", "part"):
            rows = f"{archive.read_manifest().figures.rows} rows" if archive.manifest else "not written yet"
            self.stdout.write(f"{archive.label}  {archive.status}, {rows}, {archive.file_path}")
        self._complain(at_month=Month.of(at, UTC), present={partition.month for partition in existing})

    def _complain(self, *, at_month: Month, present: set[Month]) -> None:
        missing = [month for month in at_month.ahead(settings.PARTITION_MONTHS_AHEAD + 1) if month not in present]
        if missing:
            raise CommandError(f"Partitions are missing for {', '.join(map(str, missing))}: run without --check.")
        stray = PAYMENT_PARTITIONS.default_rows()
        if stray:
            raise CommandError(
                f"The default partition holds {stray} rows, because their months were not made in time: "
                "run again with --move-default."
            )
