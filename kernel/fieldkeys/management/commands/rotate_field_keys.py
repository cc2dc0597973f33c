"""Encrypts every stored secret under the newest key of FIELD_ENCRYPTION_KEYS, so that older keys can be taken away."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import run_now


class Command(BaseCommand):
    help = (
        "Encrypts bank accounts, channels' secrets and every other encrypted column anew, under the first key of "
        "FIELD_ENCRYPTION_KEYS. Put the new key in front, restart, run this, and only then take the old key away."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = run_now("rotate_field_keys", actor=Actor.command("rotate_field_keys"))
        except PaymentsiteError as refusal:
            raise CommandError(f"{refusal.detail} {refusal.next_step}".strip()) from refusal
        self.stdout.write(f"{result['rotated']:>12,}  encrypted anew")
        self.stdout.write(f"{result['already']:>12,}  under the newest key already")
        self.stdout.write(f"{result['unreadable']:>12,}  not readable with any key")
        if result["unreadable"]:
            named = "\n".join(result["unreadable_rows"])
            raise CommandError(
                f"These were left as they are, and the first are:\n{named}\nAdd the key that they were stored under "
                "to the end of FIELD_ENCRYPTION_KEYS and run this again, or set them anew."
            )
