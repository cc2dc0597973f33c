"""Jobs and scheduled tasks of accounts."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import shared_task
from django.utils import timezone

from accounts import operations
from accounts.models import PaymentAccount
from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError
from kernel.jobs.operations import AlreadyRunning, run_now
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job


@job("activate_pads", title="Activate pre-authorised debits that are due", exclusive=True)
def activate_due_pads(progress: Progress) -> dict[str, Any]:
    """Activates the debits of every account whose waiting time has passed; gives how many, and what was refused."""
    at, actor = timezone.now(), Actor.system("activation of debits")
    due = list(PaymentAccount.objects.pad_activation_due(at).values_list("pk", flat=True).order_by("pk"))
    progress.report(phase="Activating", done=0, total=len(due))
    refused: dict[str, str] = {}
    for done, account_id in enumerate(due, start=1):
        try:
            operations.activate_pad(account_id, actor=actor, reason="Its waiting time has passed.", at=at)
        except PaymentsiteError as refusal:
            refused[str(account_id)] = refusal.detail
        progress.report(done=done)
    return {"activated": len(due) - len(refused), "refused": refused}


@shared_task(name="accounts.tasks.activate_pads", ignore_result=True)
def activate_pads() -> None:
    """The scheduled tick: a run begins when something is due."""
    if PaymentAccount.objects.pad_activation_due(timezone.now()).exists():
        with suppress(AlreadyRunning):
            run_now("activate_pads", actor=Actor.system("activation schedule"))
