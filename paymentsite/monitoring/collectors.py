"""Asks the database for its figures when Prometheus scrapes: bounded in time, and remembered for a few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kernel.errors import Unavailable
from kernel.reading import limited_reading
from paymentsite.monitoring.checks import BoundedCheck
from paymentsite.monitoring.figures import GROUPS

logger = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
STATEMENT_MS = 1_000
# Prometheus waits ten seconds for a scrape, unless it is told otherwise.
PATIENCE_SECONDS = 4.0


class DatabaseCollector(Collector):
    """Every group of figures. One that cannot be read is left out, and paymentsite_figures_up says so with a 0.

    Read in a thread of its own, because a server that hangs answers no limit of ours: Prometheus would give the whole
    scrape up, the counters with it.
    """

    def __init__(self) -> None:
        self._reading: BoundedCheck[list[Metric]] = BoundedCheck("figures", _read, fresh_seconds=FRESH_SECONDS)

    def collect(self) -> Iterator[Metric]:
        self._reading.begin()
        metrics = self._reading.answer(deadline=time.monotonic() + PATIENCE_SECONDS)
        yield from [_up(dict.fromkeys(GROUPS, False))] if metrics is None else metrics

    def forget(self) -> None:
        """Reads anew at the next scrape."""
        self._reading.forget()


def _read() -> list[Metric]:
    at = datetime.now(UTC)
    try:
        found = {group: _read_group(group, at) for group in GROUPS}
    finally:
        # The thread ends here, and would leave its connection open.
        connection.close()
    up = _up({group: metrics is not None for group, metrics in found.items()})
    return [up, *(metric for metrics in found.values() for metric in metrics or [])]


def _up(groups: Mapping[str, bool]) -> Metric:
    up = GaugeMetricFamily(
        "paymentsite_figures_up", "1 when this group of figures could be read from the database", labels=["group"]
    )
    for group, is_up in groups.items():
        up.add_metric([group], is_up)
    return up


def _read_group(group: str, at: datetime) -> list[Metric] | None:
    try:
        with limited_reading(milliseconds=STATEMENT_MS):
            return list(GROUPS[group](at))
    except (DatabaseError, InterfaceError, Unavailable) as error:
        logger.warning(
            "Figures could not be read",
            extra={"action": "collect_metrics", "group": group, "cause": type(error).__name__},
        )
        connection.close_if_unusable_or_obsolete()
        return None
