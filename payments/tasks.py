"""Jobs and scheduled tasks of payments: each makes one call."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.jobs.operations import AlreadyRunning, run_now
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job
from kernel.periods import Month
from payments.ingestion import BOTTOM, IngestionTotals, Pace, ingest, sole_scheduled_run
from payments.operations.archiving import HELD, MonthBusy, MonthHeld, MonthPlan, carry_out, plans
from payments.operations.references import plan_rotation, rotate_references
from payments.operations.restoring import restore_archive
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


@job("archive_partitions", title="Archive old months", exclusive=True)
def archive_old_months(
    progress: Progress, *, month: str | None = None, rehearse: bool = False, reason: str = ""
) -> dict[str, Any]:
    """Archives every month that is due (or the one of this label, such as 2025_01); gives what became of each.

    A rehearsal changes nothing and gives the same. Months that are held or busy do not hold back the others.
    """
    wanted = Month.parse(month) if month else None
    shown: list[dict[str, Any]] = []
    for plan in plans(month=wanted, clock=timezone.now):
        progress.report(phase=f"{plan.month.first_on:%Y-%m}: {'looking' if rehearse else plan.decision}")
        outcome = plan.as_json()
        if not rehearse and plan.decision != HELD:
            outcome |= _archived(plan, reason)
        shown.append(outcome)
    return {"rehearsal": rehearse, "months": shown}


def _archived(plan: MonthPlan, reason: str) -> dict[str, Any]:
    try:
        carry_out(plan, actor=Actor.system("archiving of old months"), reason=reason, clock=timezone.now)
    except (MonthHeld, MonthBusy) as later:
        return {"decision": HELD, "holds": later.context.get("holds", []), "later": later.detail}
    return {}


@job("restore_archive", title="Restore an archived month")
def restore_month(progress: Progress, *, archive_id: int, reason: str = "") -> dict[str, Any]:
    """Loads an archive into its read-only table; gives how many payments."""
    progress.report(phase="Verifying and loading")
    actor = Actor.system("restoring of an archived month")
    return {"rows": restore_archive(archive_id, actor=actor, reason=reason, at=timezone.now())}


@job("rotate_references", title="Turn the references over", exclusive=True)
def turn_references_over(progress: Progress, *, rehearse: bool = False) -> dict[str, Any]:
    """Merges the earlier generation of references into the history and exchanges it with the gate, when that is due."""
    at = timezone.now()
    plan = plan_rotation(at)
    if plan.is_due and not rehearse:
        progress.report(phase="Merging", done=0, total=plan.to_merge)
        plan = rotate_references(at=at, on_merged=lambda merged: progress.report(done=merged))
    return {"rehearsal": rehearse, "due": plan.is_due, "merged": plan.to_merge, "moved": plan.to_move}


@shared_task(name="payments.tasks.rotate_references", ignore_result=True)
def rotate_references_when_due() -> None:
    """The scheduled tick; a run that is still at work makes this one needless."""
    with suppress(AlreadyRunning):
        run_now("rotate_references", actor=Actor.system("references schedule"))


@shared_task(name="payments.tasks.archive_partitions", ignore_result=True)
def archive_partitions() -> None:
    """The scheduled tick; a run that is still at work makes this one needless."""
    with suppress(AlreadyRunning):
        run_now("archive_partitions", actor=Actor.system("archive schedule"))


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
