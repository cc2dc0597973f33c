"""Asks the database for its figures when Prometheus scrapes: bounded in time, and remembered for a few seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kernel.errors import Unavailable
from kernel.reading import limited_reading
from paymentsite.monitoring.figures import GROUPS

logger = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
STATEMENT_MS = 1_000


class DatabaseCollector(Collector):
    """Every group of figures. One that cannot be read is left out, and paymentsite_figures_up says so with a 0."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: list[Metric] = []
        self._read_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        # Scrapes that come together wait for the one that reads.
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                self._metrics = self._read()
                self._read_at = time.monotonic()
            metrics = list(self._metrics)
        yield from metrics

    def forget(self) -> None:
        """Reads anew at the next scrape."""
        with self._lock:
            self._read_at = float("-inf")

    def _read(self) -> list[Metric]:
        up = GaugeMetricFamily(
            "paymentsite_figures_up", "1 when this group of figures could be read from the database", labels=["group"]
        )
        metrics: list[Metric] = [up]
        at = datetime.now(UTC)
        for group in GROUPS:
            found = _read_group(group, at)
            metrics.extend(found or [])
            up.add_metric([group], found is not None)
        return metrics


def _read_group(group: str, at: datetime) -> list[Metric] | None:
    try:
        with limited_reading(milliseconds=STATEMENT_MS):
            return list(GROUPS[group](at))
    except (DatabaseError, InterfaceError, Unavailable) as error:
        logger.warning(
            "Figures could not be read",
            extra={"action": "collect_metrics", "group": group, "cause": type(error).__name__},
        )
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        return None
