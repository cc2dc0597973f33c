"""Makes the groups of the five roles hold the permissions of the matrix."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.errors import PaymentsiteError
from paymentsite.roles import sync_roles


class Command(BaseCommand):
    help = "Creates the groups viewer, operator, approver, administrator and auditor, and sets their permissions."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changes = sync_roles()
        except PaymentsiteError as refusal:
            raise CommandError(f"{refusal.detail} {refusal.next_step}") from None
        for change in changes:
            self.stdout.write(
                f"{change.role}: {len(change.granted)} permissions granted, {len(change.withdrawn)} withdrawn."
            )
        if not changes:
            self.stdout.write("The roles hold their permissions already.")
