"""The page of job runs: how far each is, how fast, how long it will take, what came of it, and how to stop it."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from kernel.adminsite import Confirmation, ReadOnlyAdmin, confirmed_action, pretty_json, progress_bar
from kernel.jobs import operations
from kernel.jobs.models import JobRun
from kernel.jobs.registry import UnknownJob, find_job
from kernel.jobs.states import JobStatus

STATUS_LABELS = {"queued": "info", "running": "warning", "succeeded": "success", "failed": "danger"}


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ["title", "shown_status", "phase", "progress", "rate", "time_left", "requested_by", "queued_at"]
    list_filter = ["status", "name"]
    search_fields = ["name", "requested_by"]
    ordering = ["-queued_at"]
    actions_row = ["cancel"]
    actions_detail = ["cancel"]
    fieldsets = [
        (None, {"fields": ["title", "status", "status_since", "requested_by", "shown_parameters"]}),
        ("Progress", {"fields": ["phase", "progress", "rate", "time_left"]}),
        ("Outcome", {"fields": ["shown_result", "error"]}),
        (
            "Times",
            {
                "fields": [
                    "queued_at",
                    "enqueued_at",
                    "started_at",
                    "heartbeat_at",
                    "cancel_requested_at",
                    "finished_at",
                ]
            },
        ),
    ]
    readonly_fields = ["title", "progress", "rate", "time_left", "shown_parameters", "shown_result"]

    @display(description="job", ordering="name")
    def title(self, run: JobRun) -> str:
        try:
            return find_job(run.name).title
        except UnknownJob:
            # A run of an earlier version, whose job is gone since.
            return run.name

    @display(description="status", ordering="status", label=STATUS_LABELS)
    def shown_status(self, run: JobRun) -> str:
        stopping = run.status == JobStatus.RUNNING and run.cancel_requested_at is not None
        return "stopping" if stopping else run.status

    @display(description="progress")
    def progress(self, run: JobRun) -> SafeString | str:
        return progress_bar(run.done, run.total)

    @display(description="rate")
    def rate(self, run: JobRun) -> str:
        return "-" if not run.rate_per_second else f"{run.rate_per_second:,.0f}/s"

    @display(description="time left")
    def time_left(self, run: JobRun) -> str:
        return "-" if run.time_left is None else str(run.time_left)

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
            return f"{cancelled.name} was cancelled before it started."
        return f"{cancelled.name} was asked to stop."
