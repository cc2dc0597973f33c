"""`manage.py rotate_references`: turns the references over to a new generation when that is due."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import run_now


class Command(BaseCommand):
    help = (
        "Merges references older than REFERENCE_CACHE_TTL_DAYS into the history, where they go on to be duplicates, "
        "and gives the gate of exactly-once a fresh table. Does nothing when it is not due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rehearse", action="store_true", help="change nothing; say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = run_now(
                "rotate_references",
                actor=Actor.command("rotate_references"),
                parameters={"rehearse": options["rehearse"]},
            )
        except PaymentsiteError as error:
            raise CommandError(f"{error.detail} {error.next_step}") from error
        if not result["due"]:
            self.stdout.write(f"Not due: the gate holds {result['moved']:,} references.")
            return
        does = ("would be merged", "would move") if result["rehearsal"] else ("merged", "moved")
        merged, moved = f"{result['merged']:,} references {does[0]}", f"{result['moved']:,} {does[1]}"
        self.stdout.write(f"{merged} into the history, {moved} out of the gate.")
