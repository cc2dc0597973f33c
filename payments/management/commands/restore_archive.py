"""`manage.py restore_archive`: brings an archived month back into a read-only table, or drops that table again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from payments.management.commands.archive_partitions import month_argument
from payments.operations.restoring import archives_of, drop_restored, restore_archive


class Command(BaseCommand):
    help = "Verifies the archive of a month and loads it into a table that can only be read, beside payments."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", type=month_argument, help="such as 2025-01")
        parser.add_argument("--part", type=int, help="only this part of the month; all of them without it")
        parser.add_argument("--drop", action="store_true", help="drop the restored table again; the file stays")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.command("restore_archive")
        try:
            for archive in archives_of(options["month"], part=options["part"]):
                if options["drop"]:
                    dropped = drop_restored(archive.pk, actor=actor, at=timezone.now())
                    self.stdout.write(f"{archive.label}: {dropped} is dropped; the archive file stays.")
                else:
                    rows = restore_archive(archive.pk, actor=actor, at=timezone.now())
                    self.stdout.write(f"{archive.label}: {rows:,} payments, verified, in {archive.restored_table}.")
        except PaymentsiteError as error:
            raise CommandError(f"{error.detail} {error.next_step}") from error
