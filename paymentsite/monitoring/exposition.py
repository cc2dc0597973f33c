"""All metrics as text: what the processes counted, and what the database says now."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Metric, ProcessCollector, multiprocess
from prometheus_client.exposition import choose_encoder

# Imported for the metrics that they declare, so that each is named from the first scrape on.
from kernel import replicas
from kernel.outbox import metrics as outbox_metrics
from payments import ingestion
from payments.deduplication import layers
from payments.webhooks import metrics as webhook_metrics
from paymentsite.monitoring.collectors import DatabaseCollector
from paymentsite.monitoring.pool import sample_pool

DECLARED_BY = (replicas, outbox_metrics, ingestion, layers, webhook_metrics)
database_collector = DatabaseCollector()


def exposition(accept: str) -> tuple[bytes, str]:
    """(body, content type) in the form that the Accept header asks for: OpenMetrics or the plain text format."""
    sample_pool()
    encode, content_type = choose_encoder(accept)
    return encode(_registry()), content_type


def gathered() -> list[Metric]:
    """The same as objects, for our own sampler."""
    sample_pool()
    return list(_registry().collect())


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        forget_ended_processes(Path(folder))
        multiprocess.MultiProcessCollector(registry, path=folder)
        ProcessCollector(registry=registry)
    else:
        # A registry collects as a collector does.
        registry.register(REGISTRY)
    registry.register(database_collector)
    return registry


def forget_ended_processes(folder: Path) -> None:
    """Takes away the live gauges of processes that are gone. Their counters stay, because counters never fall."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            multiprocess.mark_process_dead(int(pid), path=str(folder))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
