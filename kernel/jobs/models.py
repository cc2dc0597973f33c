"""One execution of a scheduled or requested job: who asked, how far it is, what came of it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from kernel.calendar import ledger_zone
from kernel.errors import Conflict
from kernel.jobs.querysets import JobRunQuerySet
from kernel.jobs.registry import title_of
from kernel.jobs.states import FINAL, LIVE, JobStatus, may_move


class IllegalJobMove(Conflict):
    """The job run is in a status from which this cannot be done."""

    code = "job-run-not-in-that-status"
    title = "The job run has moved on"


class JobRun(models.Model):
    """A row per run. Its status changes only by `_move_to`, its progress only while it runs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.TextField()
    requested_by = models.TextField()
    parameters = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    exclusive = models.BooleanField(default=False)
    status = models.TextField(choices=[(status.value, status.value) for status in JobStatus])
    status_since = models.DateTimeField()
    phase = models.TextField(blank=True, default="")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    rate_per_second = models.FloatField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    error = models.TextField(blank=True, default="")
    queued_at = models.DateTimeField()
    # When the workers were last told of it; null while the broker has not taken the message.
    enqueued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        db_table = "job_run"
        default_permissions = ("view",)
        permissions = [("request_job", "Can start a job"), ("cancel_job", "Can cancel a job")]
        constraints = [
            models.CheckConstraint(
                name="job_run_status_known", condition=models.Q(status__in=[status.value for status in JobStatus])
            ),
            models.CheckConstraint(
                name="job_run_progress_counts", condition=models.Q(done__gte=0) & ~models.Q(total__lt=0)
            ),
            models.CheckConstraint(
                name="job_run_running_has_heartbeat",
                condition=~models.Q(status=JobStatus.RUNNING.value) | models.Q(heartbeat_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="job_run_one_live_exclusive",
                fields=["name"],
                condition=models.Q(exclusive=True, status__in=sorted(status.value for status in LIVE)),
            ),
        ]
        indexes = [
            models.Index(fields=["-queued_at"], name="job_run_queued_at"),
            models.Index(fields=["name", "-queued_at"], name="job_run_name"),
            models.Index(
                fields=["status", "queued_at"],
                name="job_run_live",
                condition=models.Q(status__in=sorted(status.value for status in LIVE)),
            ),
        ]

    def __str__(self) -> str:
        return f"{title_of(self.name)}, {self.queued_at.astimezone(ledger_zone()):%Y-%m-%d %H:%M %Z}"

    def _move_to(self, target: JobStatus, *, at: datetime) -> None:
        """Moves to `target` if the table of moves allows it; the caller holds the row's lock and saves."""
        if not may_move(self.status, target):
            raise IllegalJobMove(
                f"The run {self.pk} of {self.name} is {self.status} and cannot become {target}.", ids=[str(self.pk)]
            )
        self.status = target
        self.status_since = at

    @property
    def is_final(self) -> bool:
        """Whether it has ended, so that there is nothing left to cancel."""
        return self.status in FINAL

    @property
    def share_done(self) -> float | None:
        """From 0 to 1; None while the total is not known."""
        if not self.total:
            return None
        return min(self.done / self.total, 1.0)

    @property
    def time_left(self) -> timedelta | None:
        """An estimate from the rate; None when there is nothing to base it on."""
        if self.status != JobStatus.RUNNING or self.total is None or not self.rate_per_second:
            return None
        return timedelta(seconds=round(max(self.total - self.done, 0) / self.rate_per_second))
