"""Gives a channel a new secret, prints it once, and keeps the one before live for a while."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from payments.models import Channel
from payments.operations.channels import OVERLAP_HOURS, rotate_secret


class Command(BaseCommand):
    help = "Rotate a channel's signing secret. Both secrets are accepted during the overlap."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--overlap-hours", type=int, default=OVERLAP_HOURS)
        parser.add_argument("--reason", default="", help="kept in the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"There is no channel {options['slug']}.")
        try:
            issued = rotate_secret(
                channel,
                overlap_hours=options["overlap_hours"],
                reason=options["reason"],
                actor=Actor.command("rotate_channel_secret"),
                at=timezone.now(),
            )
        except PaymentsiteError as error:
            raise CommandError(error.detail) from error
        expires_at = issued.channel.previous_secret_expires_at
        if expires_at is not None:
            self.stderr.write(f"The secret before stays live until {expires_at.isoformat(timespec='seconds')}.")
        self.stderr.write("The new secret is shown here and never again:")
        self.stdout.write(issued.secret)
