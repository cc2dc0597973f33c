"""Makes a channel and prints its signing secret, once."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from payments.adapters import ADAPTERS
from payments.operations.channels import create_channel
from payments.states import SignatureScheme

SECRET_VARIABLE = "CHANNEL_SECRET"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = "Make a webhook channel. A secret of your own goes into CHANNEL_SECRET, where no list of processes shows it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the last part of its address, such as northern-bank")
        parser.add_argument("--name", help="what staff read; the slug when not given")
        parser.add_argument("--adapter", choices=[*ADAPTERS], default="generic")
        parser.add_argument(
            "--scheme", choices=[scheme.value for scheme in SignatureScheme], default=SignatureScheme.STANDARD_WEBHOOKS
        )
        parser.add_argument("--currency", default="", help="used when a body names none")
        parser.add_argument("--allow", action="append", default=[], metavar="CIDR", help="may be given several times")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            issued = create_channel(
                slug=options["slug"],
                name=options["name"] or options["slug"],
                adapter=options["adapter"],
                scheme=SignatureScheme(options["scheme"]),
                secret=os.environ.get(SECRET_VARIABLE) or None,
                currency=options["currency"],
                allowed_networks=options["allow"],
                actor=Actor.command("create_channel"),
                at=timezone.now(),
            )
        except PaymentsiteError as error:
            raise CommandError(error.detail) from error
        self.stderr.write(f"Channel {issued.channel.slug} at /api/v1/payments/webhook/{issued.channel.slug}")
        self.stderr.write("Its secret is shown here and never again:")
        self.stdout.write(issued.secret)
