"""Prints events as Kafka has them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.outbox.kafka import KafkaUnavailable
from kernel.outbox.tail import as_json_line, read_messages


class Command(BaseCommand):
    help = "Prints the events of a Kafka topic as they come, one JSON object a line, without touching any consumer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--topic", default=settings.KAFKA_TOPIC, help="default: KAFKA_TOPIC (%(default)s)")
        parser.add_argument("--from-beginning", action="store_true", help="start with the oldest event kept")
        parser.add_argument("--count", type=int, help="end after so many events")
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="end when no event came for so long")

    def handle(
        self,
        *args: Any,
        topic: str,
        from_beginning: bool,
        count: int | None,
        timeout: float | None,
        **options: Any,
    ) -> None:
        try:
            for message in read_messages(topic, from_beginning=from_beginning, count=count, timeout_seconds=timeout):
                self.stdout.write(as_json_line(message))
                self.stdout.flush()
        except KafkaUnavailable as error:
            raise CommandError(f"Kafka does not answer: {error.detail}") from error
        except KeyboardInterrupt:
            return
