"""Proves that what must always be true is true, or says which records break it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import run_now


class Command(BaseCommand):
    help = "Looks at every invariant; exits with 1 and the ids of the records that break one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this invariant (repeatable)")
        parser.add_argument("--fast", action="store_true", help="only those that cost little")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = run_now(
                "verify_quick" if options["fast"] else "verify",
                actor=Actor.command("verify"),
                parameters={"only": options["only"]} if options["only"] else {},
            )
        except PaymentsiteError as refusal:
            raise CommandError(f"{refusal.detail} {refusal.next_step}".strip()) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=2))
        else:
            for invariant in result["invariants"]:
                self._print(invariant)
            self.stdout.write(_summary(result))
        if result["broken"]:
            sys.exit(1)

    def _print(self, invariant: dict[str, Any]) -> None:
        word = "BROKEN" if invariant["broken"] else "holds"
        self.stdout.write(
            f"{word:<7} {invariant['name']:<28} {invariant['looked_at']:>13,} looked at {invariant['seconds']:>8.2f} s"
            + (f"  {invariant['unresolved']:,} cannot be judged" if invariant["unresolved"] else "")
        )
        for breach in invariant["breaches"]:
            self.stdout.write(f"        {breach['id']}: {breach['sentence']}")
        if (more := invariant["broken"] - len(invariant["breaches"])) > 0:
            self.stdout.write(f"        and {more:,} more")


def _summary(result: dict[str, Any]) -> str:
    if not result["broken"]:
        return f"All {result['looked_at']} invariants hold."
    return f"{len(result['broken'])} of {result['looked_at']} invariants are broken: {', '.join(result['broken'])}."
