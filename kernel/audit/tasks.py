"""Celery's door to the sealer."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from kernel.audit.sealing import seal_all


@shared_task(name="kernel.audit.tasks.seal")
def seal() -> None:
    seal_all(at=timezone.now())
