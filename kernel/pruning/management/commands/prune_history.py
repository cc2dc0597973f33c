"""Deletes what is kept for longer than its setting says, or shows what would go."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import run_now
from kernel.pruning.registry import prunables


class Command(BaseCommand):
    help = "Deletes receipts, logs, events and the like that are older than their settings say; the oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rehearse", action="store_true", help="show what would go, and change nothing")

    def handle(self, *args: Any, rehearse: bool, **options: Any) -> None:
        try:
            result = run_now("rehearse_pruning" if rehearse else "prune_history", actor=Actor.command("prune_history"))
        except PaymentsiteError as refusal:
            raise CommandError(f"{refusal.detail} {refusal.next_step}".strip()) from refusal
        for prunable in prunables():
            kind = result["kinds"][prunable.name]
            count = kind["would_delete" if rehearse else "deleted"]
            self.stdout.write(f"{count:>12,}  {prunable.label:<40} older than {kind['days']} days{_note(kind)}")
        total = result["would_delete" if rehearse else "deleted"]
        self.stdout.write(f"{total:>12,}  in all{', nothing was changed' if rehearse else ''}")


def _note(kind: dict[str, Any]) -> str:
    if kind.get("in_use"):
        return ", the rest is in use and goes with the next run"
    return f", the oldest of {kind['oldest']:%Y-%m-%d}" if kind.get("oldest") else ""
