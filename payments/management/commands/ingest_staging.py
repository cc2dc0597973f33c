"""`manage.py ingest_staging`: takes staged rows in and prints what became of them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import run_now
from kernel.jobs.progress import Position
from payments.operations.staging_table import staging_table_exists


class Command(BaseCommand):
    help = "Takes staged rows in: records payments, sorts out duplicates, conflicts and rejections."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch-size", type=_count, default=settings.STAGING_BATCH_SIZE, help="rows a transaction")
        parser.add_argument("--workers", type=_count, default=1, help="how many take batches at the same time")
        parser.add_argument("--until-empty", action="store_true", help="go on until no staged row waits")
        parser.add_argument("--progress", action="store_true", help="print a line after every batch")

    def handle(self, *args: Any, **options: Any) -> None:
        if not staging_table_exists():
            raise CommandError(
                f"There is no table {'.'.join(part for part in settings.STAGING_TABLE if part)}: set STAGING_TABLE to "
                "the ETL's table, or make one with: manage.py create_staging"
            )
        parameters = {name: options[name] for name in ("batch_size", "workers", "until_empty")}
        try:
            result = run_now(
                "ingest_staging",
                actor=Actor.command("ingest_staging"),
                parameters=parameters,
                echo=self._echo if options["progress"] else None,
            )
        except PaymentsiteError as error:
            raise CommandError(f"{error.detail} {error.next_step}") from error
        self.stdout.write(
            "{rows} rows in {batches} batches: {recorded} recorded, {duplicates} duplicates, "
            "{conflicts} conflicts, {rejected} rejected.".format(**result)
        )

    def _echo(self, position: Position) -> None:
        of_all = f" of {position.total}" if position.total else ""
        self.stdout.write(f"{position.done}{of_all} rows", ending="\n")
        self.stdout.flush()


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 50_000:
        raise ValueError
    return number
