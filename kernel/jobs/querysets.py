"""Reads and locks over job runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models

from kernel.jobs.states import LIVE, PATIENCE, JobStatus

if TYPE_CHECKING:
    from kernel.jobs.models import JobRun


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def lock(self, pks: Iterable[UUID]) -> list[JobRun]:
        """The rows of these keys, locked in order of their keys until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def silent(self, at: datetime) -> Self:
        """Running, yet without a sign of life for longer than the patience: the process that ran them has ended."""
        return self.filter(status=JobStatus.RUNNING, heartbeat_at__lt=at - PATIENCE[JobStatus.RUNNING])

    def lock_silent(self, at: datetime) -> list[JobRun]:
        """The silent rows, locked. PostgreSQL tests the condition again on the row that it locked, so that a run
        whose heartbeat came in between is left out.
        """
        return list(self.silent(at).order_by("pk").select_for_update(of=("self",)))

    def not_taken(self, *, enqueued_before: datetime) -> Self:
        """Queued, and their message to the workers was never sent or has had no effect since `enqueued_before`."""
        never_sent = models.Q(enqueued_at__isnull=True)
        return self.filter(never_sent | models.Q(enqueued_at__lt=enqueued_before), status=JobStatus.QUEUED)
