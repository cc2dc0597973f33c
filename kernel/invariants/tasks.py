"""The jobs that verify, and their scheduled tasks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from celery import shared_task
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.invariants.operations import Outcome, verify
from kernel.jobs.operations import AlreadyRunning, run_now
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job


@job("verify", title="Verify every invariant", exclusive=True)
def verify_all(progress: Progress, *, only: Sequence[str] = ()) -> dict[str, Any]:
    """Looks at every invariant, or at those named; gives the counts and what breaks them."""
    return _verify(progress, only=only)


@job("verify_quick", title="Verify the quick invariants", exclusive=True)
def verify_quick(progress: Progress, *, only: Sequence[str] = ()) -> dict[str, Any]:
    """Looks at the invariants that cost little."""
    return _verify(progress, only=only, quick=True)


@shared_task(name="kernel.invariants.tasks.verify", ignore_result=True)
def run_verify() -> None:
    # Somebody has just asked for the same by hand: once is enough.
    with suppress(AlreadyRunning):
        run_now("verify", actor=Actor.system("verification schedule"))


@shared_task(name="kernel.invariants.tasks.verify_quick", ignore_result=True)
def run_verify_quick() -> None:
    with suppress(AlreadyRunning):
        run_now("verify_quick", actor=Actor.system("verification schedule"))


def _verify(progress: Progress, *, only: Sequence[str], quick: bool = False) -> dict[str, Any]:
    def say(done: int, total: int, name: str) -> None:
        # One phase for all of them: a phase of its own would begin to count anew.
        progress.report(phase="Looking", done=done, total=total)

    outcomes = verify(only=only, quick=quick, at=timezone.now(), before_each=say)
    progress.report(done=len(outcomes), total=len(outcomes))
    return _shown(outcomes)


def _shown(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "looked_at": len(outcomes),
        "broken": [outcome.invariant.name for outcome in outcomes if outcome.is_broken],
        "unresolved": [outcome.invariant.name for outcome in outcomes if outcome.look.unresolved],
        "invariants": [outcome.shown() for outcome in outcomes],
    }
