"""Serves /metrics on a port of its own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from paymentsite.monitoring.sampler import keep_measuring
from paymentsite.monitoring.server import make_metrics_server, serve_until_told_to_stop


class Command(BaseCommand):
    help = "Serves /metrics on METRICS_HOST:METRICS_PORT until it is told to stop (Ctrl-C or SIGTERM)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.METRICS_HOST, help="address to listen on (METRICS_HOST)")
        parser.add_argument("--port", type=int, default=settings.METRICS_PORT, help="port to listen on (METRICS_PORT)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ENABLE_METRICS:
            raise CommandError("Metrics are off: set ENABLE_METRICS=true.")
        host, port = options["host"], options["port"]
        if not port:
            raise CommandError("No port is given: set METRICS_PORT (9090, say) or give --port.")
        try:
            server = make_metrics_server(host, port)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}. Give another port.") from error
        self.stdout.write(f"Serving metrics at http://{host}:{port}/metrics")
        # On a machine without a web process, nobody else would.
        keep_measuring()
        serve_until_told_to_stop(server)
