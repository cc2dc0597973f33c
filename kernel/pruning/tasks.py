"""The job that prunes, its rehearsal, and its scheduled task."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import shared_task
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.jobs.operations import AlreadyRunning, run_now
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job
from kernel.pruning.operations import prune, rehearse
from kernel.pruning.registry import Pruning, prunables


@job("prune_history", title="Prune what is older than its limit", exclusive=True)
def prune_history(progress: Progress) -> dict[str, Any]:
    """Deletes what is old of every kind; gives how many rows of each."""
    pruning = Pruning(progress.run_id, Actor.system("prune_history"), timezone.now())
    kinds: dict[str, Any] = {}
    for prunable in prunables():
        progress.report(phase=prunable.label, done=0)
        pruned = prune(prunable, pruning, after_each=lambda deleted: progress.report(done=deleted))
        kinds[prunable.name] = {"deleted": pruned.deleted, "days": prunable.days, "in_use": pruned.is_in_use}
    return {"deleted": sum(kind["deleted"] for kind in kinds.values()), "kinds": kinds}


@job("rehearse_pruning", title="Rehearse pruning", exclusive=True)
def rehearse_pruning(progress: Progress) -> dict[str, Any]:
    """Counts what the next pruning would delete. Changes nothing."""
    progress.report(phase="Counting")
    kinds = {
        prunable.name: {"would_delete": found.count, "oldest": found.oldest, "days": prunable.days}
        for prunable, found in rehearse(at=timezone.now())
    }
    return {"would_delete": sum(kind["would_delete"] for kind in kinds.values()), "kinds": kinds}


@shared_task(name="kernel.pruning.tasks.prune", ignore_result=True)
def run_prune() -> None:
    # Somebody has just asked for the same by hand: once is enough.
    with suppress(AlreadyRunning):
        run_now("prune_history", actor=Actor.system("pruning schedule"))
