"""The embedded Kafka-protocol broker as a program of its own."""

from __future__ import annotations

import signal
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from paymentsite.stack.kafka import EmbeddedBroker, write_address


class Command(BaseCommand):
    help = "Runs a Kafka-protocol broker in memory and writes its address to a file, until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        asked_to_stop = {signal.SIGTERM, signal.SIGINT}
        # Blocked before the broker's own threads start, so that the signal comes to sigwait and to nobody else.
        signal.pthread_sigmask(signal.SIG_BLOCK, asked_to_stop)
        broker = EmbeddedBroker()
        address_file: Path = settings.KAFKA_ADDRESS_FILE
        write_address(address_file, broker.address)
        self.stdout.write(f"Listening on {broker.address}")
        signal.sigwait(asked_to_stop)
        address_file.unlink(missing_ok=True)
