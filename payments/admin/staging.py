"""Staging: the rows that wait, the batches that were taken in, and the button that takes them in now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, confirmed_action, pretty_json
from kernel.jobs.models import JobRun
from kernel.jobs.operations import request_job
from payments.admin.display import (
    NOTHING,
    badge,
    count,
    length,
    list_address,
    list_link,
    moment,
    money,
    record_address,
    record_link,
    zoneless,
)
from payments.admin.records import RecordAdmin, Step
from payments.models import (
    Payment,
    PaymentStaging,
    ReferenceConflict,
    StagingDuplicate,
    StagingProcessLog,
    StagingRejection,
)
from payments.operations.staging_table import staging_table_exists
from payments.states import BatchStatus

JOB = "ingest_staging"
STATUS_SHOWN = {
    BatchStatus.PROCESSING: ("Being taken in", "waiting"),
    BatchStatus.COMPLETED: ("Completed", "good"),
    BatchStatus.FAILED: ("Failed, rows wait", "bad"),
}

take_in_now = confirmed_action(
    description="Take in staged rows now",
    permission="payments.ingest_staging",
    effect="Starts a run that takes in every staged row that waits: each ends as recorded, duplicate, conflict or "
    "rejected. The same happens by itself on schedule; a second run beside it does no harm.",
    asks_reason=False,
    icon="play_arrow",
    variant=ActionVariant.PRIMARY,
)


class TakesInStaging(RecordAdmin):
    """A list about staging, with the button."""

    actions_list = ("take_in",)

    @take_in_now
    def take_in(self, request: HttpRequest, record: Model | None, confirmation: Confirmation) -> HttpResponse:
        run = request_job(JOB, actor=confirmation.actor, at=confirmation.at)
        self.message_user(request, "The run is asked for. This is how far it is; reload to see it move on.")
        if admin.site.is_registered(JobRun):
            return HttpResponseRedirect(record_address(JobRun, run.pk))
        return HttpResponseRedirect(list_address(StagingProcessLog))


@admin.register(PaymentStaging)
class PaymentStagingAdmin(TakesInStaging):
    list_display = ("id", "reference_number", "loan_account_number", "cif", "amount_shown", "paid_at", "staged_at")
    list_display_links = ("id",)
    ordering = ("id",)
    intro = (
        "Rows that the outside ETL has staged and that no run has taken in yet, the oldest first. They are taken in "
        f"every {settings.STAGING_INTERVAL_SECONDS} seconds; rows that stay here longer mean that the worker or the "
        "schedule is not running."
    )
    empty_text = "No row waits: everything that was staged has been taken in. New rows appear here when the ETL writes."
    fieldsets = (
        (None, {"fields": ("id", "reference_number", "loan_account_number", "cif", "amount_shown")}),
        ("When", {"fields": ("paid_at", "staged_at", "state")}),
        ("Raw metadata", {"fields": ("payment_channel", "metadata_shown")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        staged = super().get_queryset(request)
        if request.resolver_match is not None and request.resolver_match.kwargs.get("object_id"):
            return staged
        return staged.exclude(processed=True)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if staging_table_exists():
            return super().changelist_view(request, {"title": "Staging backlog", **(extra_context or {})})
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        name = ".".join(part for part in settings.STAGING_TABLE if part)
        context = {
            **self.admin_site.each_context(request),
            "title": "Staging backlog",
            "opts": self.opts,
            "table": name,
        }
        return TemplateResponse(request, "payments/admin/staging_missing.html", context)

    @display(description="Amount")
    def amount_shown(self, row: PaymentStaging) -> SafeString | str:
        return money(row.amount, settings.STAGING_CURRENCY)

    @display(description="Paid")
    def paid_at(self, row: PaymentStaging) -> str:
        return zoneless(row.payment_date)

    @display(description="Staged")
    def staged_at(self, row: PaymentStaging) -> str:
        return zoneless(row.created_at)

    @display(description="State")
    def state(self, row: PaymentStaging) -> str:
        return f"Taken in {zoneless(row.processed_at)}" if row.processed else "Waits to be taken in"

    @display(description="Metadata")
    def metadata_shown(self, row: PaymentStaging) -> SafeString | str:
        return pretty_json(row.metadata)


@admin.register(StagingProcessLog)
class StagingProcessLogAdmin(TakesInStaging):
    list_display = (
        "began_at",
        "status_shown",
        "rows_shown",
        "recorded",
        "duplicates",
        "conflicts",
        "rejected",
        "took",
        "rate",
    )
    list_filter = ("status",)
    ordering = ("-started_at",)
    intro = (
        "One line for each batch of staged rows, the latest first. Recorded, duplicates, conflicts and rejected add up "
        "to the rows of the batch. A failed batch changed nothing: its rows are taken again by the next run."
    )
    empty_text = "Nothing has been taken in yet. A line appears here with the first batch of staged rows."
    fieldsets = (
        (
            "Batch",
            {"fields": ("status_shown", "id_range", "attempts", "began_at", "completed_at_shown", "took", "rate")},
        ),
        ("What became of the rows", {"fields": ("total", "recorded", "duplicates", "conflicts", "rejected", "links")}),
        ("Error details", {"fields": ("error_shown",)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj is None or obj.error_details else fieldsets[:-1]

    def story(self, record: StagingProcessLog) -> list[Step]:
        steps = [Step(record.started_at, f"Began, with {record.total_records:,} rows")]
        if record.completed_at is not None:
            steps.append(Step(record.completed_at, STATUS_SHOWN[BatchStatus(record.status)][0]))
        return sorted([*steps, *super().story(record)], key=lambda step: step.at, reverse=True)

    @display(description="Began")
    def began_at(self, batch: StagingProcessLog) -> SafeString | str:
        return moment(batch.started_at)

    @display(description="Ended")
    def completed_at_shown(self, batch: StagingProcessLog) -> SafeString | str:
        return moment(batch.completed_at)

    @display(description="Status")
    def status_shown(self, batch: StagingProcessLog) -> SafeString:
        return badge(*STATUS_SHOWN[BatchStatus(batch.status)])

    @display(description="Rows")
    def rows_shown(self, batch: StagingProcessLog) -> SafeString | str:
        return count(batch.total_records)

    @display(description="Rows in all")
    def total(self, batch: StagingProcessLog) -> SafeString | str:
        return f"{batch.total_records:,}"

    @display(description="Recorded")
    def recorded(self, batch: StagingProcessLog) -> SafeString | str:
        return count(batch.processed_records)

    @display(description="Duplicates")
    def duplicates(self, batch: StagingProcessLog) -> SafeString | str:
        return count(batch.duplicate_records)

    @display(description="Conflicts")
    def conflicts(self, batch: StagingProcessLog) -> SafeString | str:
        return count(batch.conflict_records)

    @display(description="Rejected")
    def rejected(self, batch: StagingProcessLog) -> SafeString | str:
        return count(batch.error_records)

    @display(description="Took")
    def took(self, batch: StagingProcessLog) -> str:
        return length(_elapsed(batch))

    @display(description="Rows a second")
    def rate(self, batch: StagingProcessLog) -> SafeString | str:
        elapsed = _elapsed(batch)
        if batch.status != BatchStatus.COMPLETED or elapsed is None or not elapsed.total_seconds():
            return NOTHING
        return count(round(batch.total_records / elapsed.total_seconds()))

    @display(description="Staged rows")
    def id_range(self, batch: StagingProcessLog) -> str:
        return f"{batch.batch_start_id:,} to {batch.batch_end_id:,}"

    @display(description="Of this batch")
    def links(self, batch: StagingProcessLog) -> SafeString | str:
        kinds = (
            (StagingRejection, "rejected", batch.error_records, {"batch__id__exact": batch.pk, "status": "all"}),
            (ReferenceConflict, "in conflict", batch.conflict_records, {"batch_id__exact": batch.pk, "status": "all"}),
            (StagingDuplicate, "duplicates", batch.duplicate_records, {"batch__id__exact": batch.pk}),
        )
        found = [(list_link(kind, f"{number:,} {name}", filters),) for kind, name, number, filters in kinds if number]
        return format_html_join(" · ", "{}", found) if found else "Every row was recorded as a new payment."

    @display(description="Cause")
    def error_shown(self, batch: StagingProcessLog) -> SafeString | str:
        if not batch.error_details:
            return "None"
        cause = batch.error_details.get("cause")
        return format_html("{}{}", cause or "", "" if cause else pretty_json(batch.error_details))


@admin.register(StagingDuplicate)
class StagingDuplicateAdmin(RecordAdmin):
    list_display = ("detected", "staging_id", "reference_number", "payment", "batch_shown")
    list_display_links = None
    ordering = ("-detected_at",)
    intro = (
        "Staged rows that brought a payment which was recorded before, with the same content. Nothing is to be done."
    )
    empty_text = "No staged row has repeated a recorded payment yet."

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A duplicate is a detail of its batch.
        return bool(request.user.has_perm("payments.view_stagingprocesslog"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @display(description="Seen")
    def detected(self, duplicate: StagingDuplicate) -> SafeString | str:
        return moment(duplicate.detected_at)

    @display(description="Recorded payment")
    def payment(self, duplicate: StagingDuplicate) -> SafeString | str:
        return record_link(Payment, duplicate.payment_id, "Open the payment")

    @display(description="Batch")
    def batch_shown(self, duplicate: StagingDuplicate) -> SafeString | str:
        return record_link(StagingProcessLog, duplicate.batch_id, "Open the batch")


def _elapsed(batch: StagingProcessLog) -> Any:
    ended_at: datetime | None = batch.completed_at
    if ended_at is None:
        return timezone.now() - batch.started_at if batch.status == BatchStatus.PROCESSING else None
    return ended_at - batch.started_at
