"""Sends chosen events again, or asks for approval when they are more than 100 an hour."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.outbox.operations import REPLAY_LIMIT
from kernel.outbox.replays import DEFAULT_RATE, RATE_LIMIT, Outcome, describe, replay_selection
from kernel.outbox.selection import EventFilter, Selection, preview, select


class Command(BaseCommand):
    help = (
        f"Sends chosen events again, delivered ones too, with the ids they always had. Up to {REPLAY_LIMIT} an hour go "
        "out at once; for more it asks for approval and says where another person gives it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        zone = settings.LEDGER_ZONE.key
        parser.add_argument(
            "--from", dest="begins", type=_moment, required=True, help=f"ISO 8601; without zone, {zone}"
        )
        parser.add_argument("--to", dest="ends", type=_moment, required=True, help="the first moment that is left out")
        parser.add_argument("--account", default="", help="events of this account (key) alone")
        parser.add_argument("--type", dest="event_type", default="", help="events of this type alone")
        parser.add_argument("--rate", type=_rate, default=DEFAULT_RATE, help="events per second (default %(default)s)")
        parser.add_argument("--reason", default="", help="why; kept in the audit")
        parser.add_argument("--ticket", default="", help="the number of the ticket")
        parser.add_argument("--user", required=True, help="the member of staff who asks; another one approves")
        parser.add_argument("--rehearse", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._replay(options)
        except PaymentsiteError as error:
            raise CommandError(f"{error.detail} {error.next_step}") from error

    def _replay(self, options: dict[str, Any]) -> None:
        chosen = EventFilter(options["begins"], options["ends"], options["account"], options["event_type"])
        selection = select(chosen)
        found = preview(chosen, limit=1)
        if found.begins_among_retired:
            self.stdout.write(
                f"Events up to {found.retired_until:%Y-%m-%d %H:%M:%S} UTC are retired: those cannot be sent again."
            )
        if not selection.count:
            self.stdout.write("No event is chosen by that.")
            return
        self.stdout.write(describe(selection.as_content() | {"rate": options["rate"]}))
        outcome = replay_selection(
            selection,
            rate=options["rate"],
            actor=_actor(options["user"]),
            reason=options["reason"] or ("rehearsal" if options["rehearse"] else ""),
            ticket=options["ticket"],
            at=timezone.now(),
            is_rehearsal=options["rehearse"],
        )
        self._say(outcome, selection, is_rehearsal=options["rehearse"])

    def _say(self, outcome: Outcome, selection: Selection, *, is_rehearsal: bool) -> None:
        would = "Rehearsal, nothing is done. It would say: " if is_rehearsal else ""
        if outcome.approval is not None:
            place = "" if is_rehearsal else f" at /admin/approvals/approvalrequest/{outcome.approval.pk}/change/"
            self.stdout.write(
                f"{would}{selection.count:,} events need approval. Asked for{place}; another person approves it there."
            )
            return
        self.stdout.write(f"{would}{outcome.queued} events are queued again, {outcome.waiting} waited already.")


def _actor(name: str) -> Actor:
    user = get_user_model()._default_manager.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {name}.")
    if not user.has_perm("outbox.replay_event"):
        raise CommandError(f"{name} may not send events again.")
    return Actor.staff(user)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} should be a moment such as 2026-11-20T09:00 or 2026-11-20T17:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=settings.LEDGER_ZONE)


def _rate(text: str) -> int:
    rate = int(text)
    if not 1 <= rate <= RATE_LIMIT:
        raise ArgumentTypeError(f"{text} should be from 1 to {RATE_LIMIT}")
    return rate
