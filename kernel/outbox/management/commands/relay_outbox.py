"""Takes committed events to Kafka, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.outbox.kafka import KafkaUnavailable
from kernel.outbox.relay import AnotherRelayIsActive, Relay


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = (
        "Takes committed events to Kafka, until SIGTERM or Ctrl-C; the batch in hand is finished first. "
        "A second relay stands by and takes over when the first ends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        limits = parser.add_mutually_exclusive_group()
        limits.add_argument("--once", action="store_true", help="relay one batch and end")
        limits.add_argument("--until-empty", action="store_true", help="relay until no event is due, and end")

    def handle(self, *args: Any, once: bool, until_empty: bool, **options: Any) -> None:
        stopping = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
        relay = Relay(stopping)
        if not once and not until_empty:
            relay.run()
            return
        try:
            delivered = relay.drain(batches=1 if once else None)
        except AnotherRelayIsActive:
            self.stdout.write("Another relay is active and delivers what waits.")
        except KafkaUnavailable as error:
            raise CommandError(
                f"Kafka did not confirm ({error.detail}); the events wait and nothing is lost."
            ) from error
        else:
            self.stdout.write(f"Delivered {delivered} events.")
