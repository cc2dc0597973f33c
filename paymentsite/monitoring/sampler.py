"""Samples our own metrics every 15 seconds into the database, so that the console can show and judge them over time."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from prometheus_client import Metric

from kernel.errors import Unavailable
from kernel.measurements.operations import SAMPLE_SECONDS, judge_alerts, keep_sample
from kernel.measurements.rules import rules_of
from kernel.measurements.series import key_of
from paymentsite.monitoring.exposition import gathered

logger = logging.getLogger(__name__)

OURS = "paymentsite_"
COUNTED = ("counter", "histogram")
Figures = dict[str, float]


def take_sample(at: datetime) -> bool:
    """Stores one sample and judges the alerts by it; False when another sampler of these counters was faster.

    Raises DatabaseError or InterfaceError when the database does not take it: the growth is in the next sample then.
    """
    totals, gauges = parted(gathered())
    retention = timedelta(days=settings.MEASUREMENT_RETENTION_DAYS)
    is_kept = keep_sample(source_name(), totals=totals, gauges=gauges, at=at, retention=retention)
    if is_kept:
        judge_alerts(rules_of(settings.ALERT_RULES), at=at)
    return is_kept


def parted(metrics: Iterable[Metric]) -> tuple[Figures, Figures]:
    """(totals of counters and histograms, values of gauges) by key; our own metrics alone."""
    totals: Figures = {}
    gauges: Figures = {}
    for metric in metrics:
        if not metric.name.startswith(OURS):
            continue
        figures = totals if metric.type in COUNTED else gauges
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                figures[key_of(sample.name, sample.labels)] = float(sample.value)
    return totals, gauges


def source_name() -> str:
    """Whose counters these are: of all processes that share the metrics folder, or of this one when there is none."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return f"{socket.gethostname()}:{folder or os.getpid()}"


def keep_measuring(stopping: threading.Event | None = None) -> threading.Thread | None:
    """Samples from a thread that ends with the process, or once `stopping` is set. None when metrics are off."""
    if not settings.ENABLE_METRICS:
        return None
    arguments = (stopping or threading.Event(),)
    thread = threading.Thread(target=_measure_until, args=arguments, name="sampler", daemon=True)
    thread.start()
    return thread


def _measure_until(stopping: threading.Event) -> None:
    while not stopping.is_set():
        _try_to_sample(datetime.now(UTC))
        # On whole quarters of a minute, so that the sources of several machines show the same moments.
        stopping.wait(SAMPLE_SECONDS - time.time() % SAMPLE_SECONDS)


def _try_to_sample(at: datetime) -> None:
    try:
        take_sample(at)
    except (DatabaseError, InterfaceError, Unavailable, OSError, ValueError) as error:
        # A rule file that cannot be read is among these; what was measured until then is kept.
        extra = {"action": "sample_metrics", "cause": f"{type(error).__name__}: {error}"[:300]}
        logger.warning("The metrics could not be sampled", extra=extra)
    finally:
        connection.close()
