"""`manage.py archive_partitions`: writes old months of payments to files, verifies these, and drops the months."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import run_now
from kernel.periods import Month
from payments.operations.archiving import HELD


def month_argument(text: str) -> Month:
    """The month of 2025-01, for the command line."""
    try:
        return Month.parse(text.replace("-", "_"))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a month: it should look like 2025-01.") from None


class Command(BaseCommand):
    help = "Archives the months of payments that are older than PARTITION_RETENTION_MONTHS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", type=month_argument, help="only this one, such as 2025-01")
        parser.add_argument("--rehearse", action="store_true", help="say what would be done, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        month, rehearse = options["month"], options["rehearse"]
        try:
            result = run_now(
                "archive_partitions",
                actor=Actor.command("archive_partitions"),
                parameters={"month": month.label if month else None, "rehearse": rehearse},
            )
        except PaymentsiteError as error:
            raise CommandError(f"{error.detail} {error.next_step}") from error
        for outcome in result["months"]:
            self._say(outcome, rehearse=rehearse)
        if not result["months"]:
            self.stdout.write("No month is old enough to be archived.")
        elif rehearse:
            self.stdout.write("This was a rehearsal: nothing was changed.")

    def _say(self, outcome: dict[str, Any], *, rehearse: bool) -> None:
        sums = ", ".join(f"{amount} {currency}" for currency, amount in outcome["amounts"].items()) or "nothing"
        part = f", part {outcome['part']}" if outcome["part"] > 1 else ""
        if outcome["decision"] == HELD:
            said = "stays"
        else:
            said = "would be archived" if rehearse else "archived and verified"
        self.stdout.write(f"{outcome['month']}{part}: {outcome['rows']:,} payments, {sums}: {said}")
        for hold in outcome["holds"]:
            self.stdout.write(f"  because {hold['count']:,} {hold['sentence']}: {', '.join(hold['samples'])}")
        if "later" in outcome and not outcome["holds"]:
            self.stdout.write(f"  {outcome['later']}")
