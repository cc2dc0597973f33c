"""Celery's doors to the job runs."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from kernel.jobs import operations


@shared_task(name="kernel.jobs.tasks.run_queued_job")
def run_queued_job(run_id: str) -> None:
    operations.run_job(UUID(run_id))


@shared_task(name="kernel.jobs.tasks.start_queued_jobs")
def start_queued_jobs() -> None:
    operations.announce_waiting_runs(at=timezone.now())


@shared_task(name="kernel.jobs.tasks.fail_silent_jobs")
def fail_silent_jobs() -> None:
    operations.fail_silent_runs(at=timezone.now())
