"""Issues an API key on the command line and prints it, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import operations
from accounts.models import ApiClient
from accounts.scopes import SCOPES
from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError


class Command(BaseCommand):
    help = "Issues an API key for a client and prints it. Only its digest is stored, so it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="the client's slug")
        parser.add_argument(
            "--scope", action="append", required=True, choices=sorted(SCOPES), help="may be given more than once"
        )
        parser.add_argument("--days", type=int, help="the key expires after so many days; without it, never")
        parser.add_argument("--add-client", metavar="NAME", help="add the client under this name if it is not there")
        parser.add_argument("--reason", default="", help="kept in the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, at = Actor.command("issue_api_key"), timezone.now()
        try:
            client = self._client(options["client"], options["add_client"], actor, at)
            issued = operations.issue_key(
                client.pk,
                scopes=options["scope"],
                expires_at=None if options["days"] is None else at + timedelta(days=options["days"]),
                actor=actor,
                reason=options["reason"],
                at=at,
            )
        except PaymentsiteError as refusal:
            raise CommandError(f"{refusal.detail} {refusal.next_step}") from None
        self.stdout.write(issued.text.reveal())

    def _client(self, slug: str, name: str | None, actor: Actor, at: datetime) -> ApiClient:
        if name is not None and not ApiClient.objects.filter(slug=slug).exists():
            return operations.add_client(name=name, slug=slug, actor=actor, at=at)
        try:
            return operations.find_client(slug)
        except operations.NoSuchClient as unknown:
            raise CommandError(f"{unknown.detail} Give --add-client NAME to add it.") from None
