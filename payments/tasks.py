"""Jobs and scheduled tasks of payments: each makes one call."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.jobs.operations import run_now
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job
from payments.ingestion import BOTTOM, IngestionTotals, Pace, ingest, sole_scheduled_run
from payments.operations.staging import count_unprocessed, unprocessed_ids
from payments.operations.staging_table import staging_table_exists
from payments.partitioning import ensure_partitions_ahead


@job("ingest_staging", title="Take in staged rows")
def ingest_staged_rows(
    progress: Progress, *, batch_size: int | None = None, workers: int = 1, until_empty: bool = True
) -> dict[str, Any]:
    """Takes in staged rows; several runs at once are safe. Gives the totals by outcome."""
    progress.report(phase="Recording", done=0, total=count_unprocessed())
    pace = Pace(
        batch_size=batch_size or settings.STAGING_BATCH_SIZE,
        workers=workers,
        until_empty=until_empty,
        max_retries=settings.STAGING_MAX_RETRIES,
    )
    totals = ingest(pace, on_progress=lambda reached: progress.report(done=reached.rows))
    return _shown(totals)


@shared_task(name="payments.tasks.ingest_staging", ignore_result=True)
def ingest_staging() -> None:
    """The scheduled tick: a run begins when something waits and no earlier tick is still at it."""
    with sole_scheduled_run() as is_sole:
        if is_sole and staging_table_exists() and unprocessed_ids(batch_size=1, after_id=BOTTOM):
            run_now("ingest_staging", actor=Actor.system("staging schedule"))


@shared_task(name="payments.tasks.ensure_partitions", ignore_result=True)
def ensure_partitions() -> None:
    """Keeps this month's partition and those of the months ahead."""
    ensure_partitions_ahead(at=timezone.now())


def _shown(totals: IngestionTotals) -> dict[str, Any]:
    return {
        "batches": totals.batches,
        "rows": totals.rows,
        "recorded": totals.recorded,
        "duplicates": totals.duplicates,
        "conflicts": totals.conflicts,
        "rejected": totals.rejected,
    }
