"""The page of job runs: how far each is, how fast, how long it will take, what came of it, and how to stop it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from kernel.adminsite import (
    Confirmation,
    ReadOnlyAdmin,
    badge,
    confirmed_action,
    moment_column,
    pretty_json,
    progress_bar,
)
from kernel.display import NOTHING, length
from kernel.jobs import operations
from kernel.jobs.models import JobRun
from kernel.jobs.registry import title_of
from kernel.jobs.states import FINAL, JobStatus

STATUS_SHOWN = {
    JobStatus.QUEUED: ("Queued", "waiting"),
    JobStatus.RUNNING: ("Running", "waiting"),
    JobStatus.SUCCEEDED: ("Succeeded", "good"),
    JobStatus.FAILED: ("Failed", "bad"),
    JobStatus.CANCELLED: ("Cancelled", "plain"),
}


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ["title", "shown_status", "progress", "pace", "requested_by", "queued"]
    list_filter = ["status", "name"]
    search_fields = ["name", "requested_by"]
    ordering = ["-queued_at"]
    intro = (
        "Long work in the background, the latest first: how far it is and what came of it. Open one that failed to "
        "read why. A running one can be cancelled: it stops at its next safe point."
    )
    empty_text = "Nothing has run yet. A line appears here when a person or the schedule asks for a job."
    actions_row = ["cancel"]
    actions_detail = ["cancel"]
    fieldsets = [
        (None, {"fields": ["title", "shown_status", "since", "requested_by", "shown_parameters"]}),
        ("Progress", {"fields": ["phase", "progress", "rate", "time_left"]}),
        ("Outcome", {"fields": ["shown_result", "error"]}),
        (
            "Times",
            {
                "fields": [
                    "queued",
                    "announced",
                    "started",
                    "last_heard",
                    "cancel_asked",
                    "finished",
                ]
            },
        ),
    ]
    readonly_fields = [
        "title",
        "shown_status",
        "since",
        "progress",
        "rate",
        "time_left",
        "shown_parameters",
        "shown_result",
        "queued",
        "announced",
        "started",
        "last_heard",
        "cancel_asked",
        "finished",
    ]
    since = moment_column("status_since", "since")
    queued = moment_column("queued_at", "asked for")
    announced = moment_column("enqueued_at", "told to the workers")
    started = moment_column("started_at", "started")
    last_heard = moment_column("heartbeat_at", "last sign of life")
    cancel_asked = moment_column("cancel_requested_at", "asked to stop")
    finished = moment_column("finished_at", "finished")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        run = self.get_object(request, str(object_id))
        if run is None or run.status in FINAL:
            return []
        return super().get_actions_detail(request, object_id)

    @display(description="job", ordering="name")
    def title(self, run: JobRun) -> str:
        return title_of(run.name)

    @display(description="status", ordering="status")
    def shown_status(self, run: JobRun) -> SafeString:
        if run.status == JobStatus.RUNNING and run.cancel_requested_at is not None:
            return badge("Stopping", "attention")
        return badge(*STATUS_SHOWN[JobStatus(run.status)])

    @display(description="progress")
    def progress(self, run: JobRun) -> SafeString | str:
        return progress_bar(run.done, run.total)

    @display(description="rate")
    def rate(self, run: JobRun) -> str:
        return NOTHING if not run.rate_per_second else f"{run.rate_per_second:,.0f}/s"

    @display(description="pace")
    def pace(self, run: JobRun) -> str:
        left = run.time_left
        return self.rate(run) if left is None else f"{self.rate(run)}, {length(left)} left"

    @display(description="time left")
    def time_left(self, run: JobRun) -> str:
        return length(run.time_left)

    @display(description="parameters")
    def shown_parameters(self, run: JobRun) -> SafeString | str:
        return pretty_json(run.parameters)

    @display(description="result")
    def shown_result(self, run: JobRun) -> SafeString | str:
        return pretty_json(run.result)

    @confirmed_action(
        description="Cancel",
        permission="jobs.cancel_job",
        effect="A queued run never starts. A running one stops at its next safe point; what it has done so far stays.",
    )
    def cancel(self, request: HttpRequest, run: JobRun, confirmation: Confirmation) -> str:
        cancelled = operations.cancel_job(
            run.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        if cancelled.status == JobStatus.CANCELLED:
            return f"{title_of(cancelled.name)}: it was cancelled before it started."
        return f"{title_of(cancelled.name)}: it was asked to stop."
