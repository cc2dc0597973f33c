"""The page of what was retired: which sealed rows were deleted for their age, and the buttons that prune."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, ReadOnlyAdmin, confirmed_action, moment_column, pretty_json
from kernel.audit.models import AuditRetirement
from kernel.jobs.operations import request_job


@admin.register(AuditRetirement)
class RetirementAdmin(ReadOnlyAdmin):
    list_display = ["seal_sequence", "source", "rows", "first", "last", "retired"]
    ordering = ["-id"]
    sortable_by = ()
    list_title = "Pruned history"
    intro = (
        "Receipts, logs and published events are deleted once a day when they are older than the settings say. Of "
        "events a line stays here for each seal that went, so that none can go unseen. Rehearse shows what the next "
        "run would delete, and changes nothing."
    )
    empty_text = "No event is old enough yet. A line appears here when the first events are deleted for their age."
    actions_list = ["rehearse", "prune_now"]
    fieldsets = [
        (None, {"fields": ["seal_sequence", "source", "rows", "shown_counts", "first", "last"]}),
        ("Retired", {"fields": ["retired", "job_run_id", "operation", "digest"]}),
    ]
    readonly_fields = ["rows", "shown_counts", "first", "last", "retired", "digest"]
    first = moment_column("first_recorded_at", "oldest row of")
    last = moment_column("last_recorded_at", "newest row of")
    retired = moment_column("retired_at", "deleted")

    @display(description="rows")
    def rows(self, retirement: AuditRetirement) -> str:
        return f"{retirement.entry_count:,}"

    @display(description="rows of each kind")
    def shown_counts(self, retirement: AuditRetirement) -> SafeString | str:
        return pretty_json(retirement.counts)

    @display(description="digest of the content")
    def digest(self, retirement: AuditRetirement) -> str:
        return bytes(retirement.content_digest).hex()

    @confirmed_action(
        description="Rehearse",
        permission="jobs.request_job",
        effect="Counts what the next pruning would delete of each kind. Nothing is changed.",
        asks_reason=False,
        icon="search",
    )
    def rehearse(self, request: HttpRequest, record: None, confirmation: Confirmation) -> HttpResponse:
        return self._start(request, "rehearse_pruning", confirmation)

    @confirmed_action(
        description="Prune now",
        permission="jobs.request_job",
        effect="Deletes what is older than its setting says, for good. The schedule does the same once a day. "
        "Payments, references, open work and events that Kafka has not confirmed stay.",
        asks_reason=False,
        icon="auto_delete",
        variant=ActionVariant.PRIMARY,
    )
    def prune_now(self, request: HttpRequest, record: None, confirmation: Confirmation) -> HttpResponse:
        return self._start(request, "prune_history", confirmation)

    def _start(self, request: HttpRequest, job: str, confirmation: Confirmation) -> HttpResponse:
        run = request_job(job, actor=confirmation.actor, at=confirmation.at)
        self.message_user(request, "The run is asked for. This is how far it is; reload to see it move on.")
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_change", args=[run.pk]))
