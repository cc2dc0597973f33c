"""The job that carries out an approved request, and Celery's door to the expiry."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from kernel.approvals import operations
from kernel.jobs.progress import Progress
from kernel.jobs.registry import job


@job(operations.EXECUTION_JOB, title="Carry out what was approved")
def execute_approval(progress: Progress, *, request_id: int) -> dict[str, Any]:
    """Carries out one approved request. An approval that is void fails the run and is noted on the request."""
    progress.report(phase="Carrying out", total=1)
    try:
        result = operations.execute(request_id, at=timezone.now())
    except operations.ApprovalVoid as void:
        operations.note_void(request_id, void, at=timezone.now())
        raise
    progress.report(done=1)
    return result


@shared_task(name="kernel.approvals.tasks.expire", ignore_result=True)
def expire() -> None:
    """Ends the requests that nobody decided, or nobody carried out, in time."""
    operations.expire_overdue(at=timezone.now())
