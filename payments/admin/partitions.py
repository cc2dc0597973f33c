"""Partitions: which months of payments are in the database, which are archived, and what can be done with each."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, confirmed_action, pretty_json
from kernel.jobs.models import JobRun
from kernel.jobs.operations import request_job
from kernel.periods import Month
from payments.admin.display import NOTHING, badge, count, list_address, moment, money, record_address, record_link
from payments.admin.records import RecordAdmin
from payments.models import PartitionArchive
from payments.operations.restoring import drop_restored
from payments.partitioning import PAYMENT_PARTITIONS, oldest_kept
from payments.partitionlist import AttachedMonth, found_in_restored, partition_list
from payments.states import ArchiveStatus

STATUS_SHOWN = {
    ArchiveStatus.DETACHED: ("Taken out, waits to be written", "waiting"),
    ArchiveStatus.WRITTEN: ("Written, waits to be verified", "waiting"),
    ArchiveStatus.VERIFIED: ("Verified, waits to be dropped", "waiting"),
    ArchiveStatus.ARCHIVED: ("Archived", "good"),
    ArchiveStatus.RESTORED: ("Archived, and restored for reading", "good"),
}
EVERY_DUE_MONTH = ""


class DueMonthForm(forms.Form):
    """Which month; every one that is due where none is chosen."""

    month = forms.ChoiceField(label="Month", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(month.label, f"{month.first_on:%Y-%m}") for month in _due_months()]
        field: Any = self.fields["month"]
        field.choices = [(EVERY_DUE_MONTH, "Every month that is due"), *choices]


def _due_months() -> list[Month]:
    kept = oldest_kept(timezone.now())
    return [month for month in PAYMENT_PARTITIONS.months() if month < kept]


def _what_archiving_does(record: Any) -> str:
    due = [f"{month.first_on:%Y-%m}" for month in _due_months()]
    if not due:
        return "No month is due. A run would only finish what an earlier one began."
    return (
        f"Due: {', '.join(due)}. Each month that nothing holds back is taken out of the database, written to a file in "
        f"{settings.ARCHIVE_FOLDER}, read back in full and compared, and only then dropped. Its payments are then not "
        "found by search any more until the month is restored. A rehearsal shows the exact figures beforehand."
    )


@admin.register(PartitionArchive)
class PartitionArchiveAdmin(RecordAdmin):
    list_display = ("label_shown", "status_shown", "rows_shown", "amounts_shown", "size_shown", "since")
    list_display_links = ("label_shown",)
    ordering = ("-month", "part")
    list_before_template = "payments/admin/partitions_intro.html"
    change_form_outer_after_template = "payments/admin/after_archive.html"
    actions_list = ("rehearse", "archive_now")
    actions_detail = ("restore", "drop_copy")
    empty_text = (
        "No month has been archived yet. One appears here when it is older than "
        f"{settings.PARTITION_RETENTION_MONTHS} months and nothing holds it back."
    )
    fieldsets = (
        (None, {"fields": ("status_shown", "since", "error_shown", "rows_shown", "amounts_shown", "from_to")}),
        ("The file", {"fields": ("file_shown", "size_shown", "digest_shown", "written_by", "restored_shown")}),
        ("Times", {"fields": ("detached_shown", "verified_shown", "dropped_shown")}),
        ("Manifest", {"classes": ("collapse",), "fields": ("manifest_shown",)}),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        shown = partition_list(at=timezone.now())
        context = {
            "partitions": shown,
            "months": [_MonthShown(month) for month in shown.attached],
            "look": _LookShown(shown.latest_look) if shown.latest_look is not None else None,
            "retention_months": settings.PARTITION_RETENTION_MONTHS,
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def page_context(self, request: HttpRequest, record: PartitionArchive) -> dict[str, Any]:
        term = request.GET.get("find", "").strip()
        is_restored = record.status == ArchiveStatus.RESTORED
        found = found_in_restored(record, term) if is_restored and term else []
        return {
            **super().page_context(request, record),
            "find": term,
            "is_restored": is_restored,
            "found": [{**payment, "shown_amount": _money_of(payment)} for payment in found],
        }

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        archive = self.get_object(request, str(object_id))
        offered = {ArchiveStatus.ARCHIVED: "restore", ArchiveStatus.RESTORED: "drop_copy"}
        name = offered.get(ArchiveStatus(archive.status)) if archive is not None else None
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name.endswith(f"_{name}")] if name else []

    @confirmed_action(
        description="Rehearse archiving",
        permission="payments.rehearse_archiving",
        effect="Looks at every month that is due and reports what archiving would do: how many payments, their sums, "
        "and what holds a month back. Nothing is changed.",
        asks_reason=False,
        form=DueMonthForm,
        icon="preview",
    )
    def rehearse(self, request: HttpRequest, record: Model | None, confirmation: Confirmation) -> HttpResponse:
        return self._ask_for_run(request, confirmation, rehearse=True)

    @confirmed_action(
        description="Archive old months now",
        permission="payments.archive_partitions",
        effect=_what_archiving_does,
        form=DueMonthForm,
        icon="inventory_2",
        variant=ActionVariant.PRIMARY,
    )
    def archive_now(self, request: HttpRequest, record: Model | None, confirmation: Confirmation) -> HttpResponse:
        return self._ask_for_run(request, confirmation, rehearse=False)

    @confirmed_action(
        description="Restore for reading",
        permission="payments.restore_archive",
        effect=lambda archive: (
            f"Verifies the file and loads it into the table {archive.restored_table}, beside "
            "payments, where it can be searched from this page and not changed. Nothing is announced to other systems. "
            "A file that is damaged is refused, and nothing is left behind."
        ),
        icon="unarchive",
        variant=ActionVariant.PRIMARY,
    )
    def restore(self, request: HttpRequest, record: PartitionArchive, confirmation: Confirmation) -> HttpResponse:
        parameters = {"archive_id": record.pk, "reason": confirmation.reason}
        run = request_job("restore_archive", parameters=parameters, actor=confirmation.actor, at=confirmation.at)
        self.message_user(request, "The restore is asked for. Once the run has succeeded, the archive's page searches.")
        return _to_run(run)

    @confirmed_action(
        description="Drop the restored copy",
        permission="payments.restore_archive",
        effect=lambda archive: (
            f"Drops the table {archive.restored_table}. The archive file stays; the month can be "
            "restored again at any time."
        ),
        icon="delete",
    )
    def drop_copy(self, request: HttpRequest, record: PartitionArchive, confirmation: Confirmation) -> str:
        dropped = drop_restored(record.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"{dropped} is dropped; the archive file stays."

    def _ask_for_run(self, request: HttpRequest, confirmation: Confirmation, *, rehearse: bool) -> HttpResponse:
        run = request_job(
            "archive_partitions",
            parameters={
                "month": confirmation.answers.get("month") or None,
                "rehearse": rehearse,
                "reason": confirmation.reason,
            },
            actor=confirmation.actor,
            at=confirmation.at,
        )
        self.message_user(request, "The run is asked for. When it has ended, the page Partitions shows what it found.")
        return _to_run(run)

    @display(description="Month", ordering="month")
    def label_shown(self, archive: PartitionArchive) -> str:
        return archive.label

    @display(description="State")
    def status_shown(self, archive: PartitionArchive) -> SafeString:
        return badge(*STATUS_SHOWN[ArchiveStatus(archive.status)])

    @display(description="Since")
    def since(self, archive: PartitionArchive) -> SafeString | str:
        return moment(archive.status_since)

    @display(description="Last error")
    def error_shown(self, archive: PartitionArchive) -> str:
        return archive.last_error or NOTHING

    @display(description="Payments")
    def rows_shown(self, archive: PartitionArchive) -> SafeString | str:
        return count(archive.manifest["rows"]) if archive.manifest else NOTHING

    @display(description="Sum")
    def amounts_shown(self, archive: PartitionArchive) -> SafeString | str:
        return _sums(archive.manifest["amounts"]) if archive.manifest else NOTHING

    @display(description="Paid from – to")
    def from_to(self, archive: PartitionArchive) -> SafeString | str:
        if archive.manifest is None:
            return NOTHING
        figures = archive.read_manifest().figures
        return format_html("{} – {}", moment(figures.oldest), moment(figures.newest))

    @display(description="Size")
    def size_shown(self, archive: PartitionArchive) -> str:
        return filesizeformat(archive.manifest["bytes_compressed"]) if archive.manifest else NOTHING

    @display(description="File")
    def file_shown(self, archive: PartitionArchive) -> str:
        return str(archive.file_path) if archive.manifest else NOTHING

    @display(description="SHA-256 of the file")
    def digest_shown(self, archive: PartitionArchive) -> SafeString | str:
        return format_html("<code>{}</code>", archive.manifest["sha256_compressed"]) if archive.manifest else NOTHING

    @display(description="Written by version")
    def written_by(self, archive: PartitionArchive) -> str:
        return archive.manifest["software_version"] if archive.manifest else NOTHING

    @display(description="Restored into")
    def restored_shown(self, archive: PartitionArchive) -> str:
        return archive.restored_table if archive.status == ArchiveStatus.RESTORED else NOTHING

    @display(description="Taken out of payments")
    def detached_shown(self, archive: PartitionArchive) -> SafeString | str:
        return moment(archive.detached_at)

    @display(description="File verified")
    def verified_shown(self, archive: PartitionArchive) -> SafeString | str:
        return moment(archive.verified_at)

    @display(description="Dropped from the database")
    def dropped_shown(self, archive: PartitionArchive) -> SafeString | str:
        return moment(archive.dropped_at)

    @display(description="Manifest")
    def manifest_shown(self, archive: PartitionArchive) -> SafeString | str:
        return pretty_json(archive.manifest)


class _MonthShown:
    """One line of the table of attached months."""

    def __init__(self, month: AttachedMonth) -> None:
        extent, about = month.extent, "" if month.extent.is_exact else "about "
        self.label = f"{month.partition.month.first_on:%Y-%m}"
        self.rows = "not counted yet" if extent.rows is None else f"{about}{extent.rows:,}"
        self.size = filesizeformat(month.partition.size_bytes)
        self.about = about
        self.oldest, self.newest = moment(extent.oldest), moment(extent.newest)
        self.state = _state_of(month)
        self.reasons = [_reason(hold) for hold in month.holds]


class _LookShown:
    """What the latest run or rehearsal of archiving found."""

    def __init__(self, run: JobRun) -> None:
        result: Mapping[str, Any] = run.result or {}
        self.is_rehearsal = result.get("rehearsal", False)
        self.at = moment(run.finished_at)
        self.run = record_link(JobRun, run.pk, "Open the run")
        self.months = [_outcome(outcome, is_rehearsal=self.is_rehearsal) for outcome in result.get("months", [])]


def _outcome(outcome: Mapping[str, Any], *, is_rehearsal: bool) -> dict[str, Any]:
    if outcome["decision"] == "held":
        decided = badge("Stays", "attention")
    else:
        decided = badge("Would be archived" if is_rehearsal else "Archived", "good")
    return {
        "label": outcome["month"] + (f", part {outcome['part']}" if outcome["part"] > 1 else ""),
        "decision": decided,
        "rows": f"{outcome['rows']:,}",
        "sums": _sums(outcome["amounts"]),
        "reasons": [_reason(hold) for hold in outcome["holds"]] or [outcome.get("later", "")],
    }


def _state_of(month: AttachedMonth) -> SafeString:
    if month.is_due:
        if month.holds:
            return badge("Held back", "attention")
        return badge("Due for the archive", "waiting")
    if month.is_ahead:
        return badge("Ahead", "plain")
    return badge("This month", "good") if month.is_current else badge("Kept", "good")


def _reason(hold: Mapping[str, Any]) -> str:
    more = ", …" if hold["count"] > len(hold["samples"]) else ""
    return f"{hold['count']:,} {hold['sentence']} ({', '.join(hold['samples'])}{more})"


def _sums(amounts: Mapping[str, str]) -> SafeString | str:
    if not amounts:
        return NOTHING
    return format_html_join("", "{}", ((money(Decimal(amount), currency),) for currency, amount in amounts.items()))


def _money_of(payment: Mapping[str, Any]) -> SafeString | str:
    return money(payment["amount"], payment["currency"])


def _to_run(run: JobRun) -> HttpResponse:
    if admin.site.is_registered(JobRun):
        return HttpResponseRedirect(record_address(JobRun, run.pk))
    return HttpResponseRedirect(list_address(PartitionArchive))
