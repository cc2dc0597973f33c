"""Rejections and conflicts: the queue of what was not recorded, why, and the decisions that staff can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, confirmed_action, pretty_json
from payments.admin.comparison import conflict_comparison, rejection_comparison
from payments.admin.display import NOTHING, badge, moment, record_link
from payments.admin.filters import ReviewStatusFilter
from payments.admin.payments import with_differences
from payments.admin.records import RecordAdmin, Step
from payments.forms import CorrectionForm, amount_text, metadata_text, shown_moment
from payments.models import Payment, ReferenceConflict, Review, StagingProcessLog, StagingRejection
from payments.notices import parse_moment
from payments.operations.recording import Recording
from payments.operations.reviews import (
    CorrectionInConflict,
    correct_conflict,
    correct_rejection,
    dismiss_conflict,
    dismiss_rejection,
)
from payments.rules import RULE_BY_CODE, reason_sentences
from payments.states import FINAL_REVIEW_STATUSES, ReviewStatus

STATUS_SHOWN = {
    ReviewStatus.OPEN: ("Open", "attention"),
    ReviewStatus.RECORDED: ("Recorded after correction", "good"),
    ReviewStatus.DISMISSED: ("Dismissed", "plain"),
}
OWN_FIELDS = ("reference_number", "loan_account_number", "cif", "amount", "currency", "payment_channel")


class ReviewAdmin(RecordAdmin):
    """Open ones first; the actions are there only as long as nobody has decided."""

    list_filter = (ReviewStatusFilter,)
    actions = ("dismiss",)
    actions_detail = ("correct", "dismiss")
    search_fields = ("reference_number",)
    search_help_text = "Whole reference or staged row"
    decision = (
        "Decision",
        {"fields": ("status_shown", "decided_at", "resolved_by", "resolution_reason", "recorded_payment")},
    )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("id",) if request.GET.get("status") in (None, "", ReviewStatus.OPEN) else ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        by_row = Q(staging_id=int(term)) if term.isascii() and term.isdigit() and len(term) < 19 else Q()
        return queryset.filter(Q(reference_number=term) | by_row), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        review = self.get_object(request, str(object_id))
        if review is None or ReviewStatus(review.status) in FINAL_REVIEW_STATUSES:
            return []
        return super().get_actions_detail(request, object_id)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # Nothing is decided on an open one yet, so the group would be a column of dashes.
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and obj.status == ReviewStatus.OPEN:
            return [group for group in fieldsets if group is not ReviewAdmin.decision]
        return fieldsets

    @display(description="Status")
    def status_shown(self, review: Review) -> SafeString:
        return badge(*STATUS_SHOWN[ReviewStatus(review.status)])

    @display(description="Decided")
    def decided_at(self, review: Review) -> SafeString | str:
        return NOTHING if review.status == ReviewStatus.OPEN else moment(review.status_since)

    @display(description="Resulting payment")
    def recorded_payment(self, review: Review) -> SafeString | str:
        return (
            record_link(Payment, review.recorded_payment_id, "Open the payment")
            if review.recorded_payment_id
            else "None"
        )


@admin.register(StagingRejection)
class StagingRejectionAdmin(ReviewAdmin):
    list_display = ("staged_row", "reference_number", "why", "rejected", "status_shown")
    list_display_links = ("staged_row", "reference_number")
    intro = (
        "Staged rows that could not be recorded. Open one to see what is wrong, then correct and record it, or dismiss "
        "it with a reason. Nothing is lost meanwhile: the row is kept exactly as it came."
    )
    empty_text = "No rejected row waits for you. A row appears here when one cannot be recorded."
    fieldsets = (
        ("Row", {"fields": ("staged_row", "rejected", "batch_shown", "brought_by")}),
        ReviewAdmin.decision,
        ("Raw content as JSON", {"classes": ("collapse",), "fields": ("raw_shown",)}),
    )

    def page_context(self, request: HttpRequest, record: StagingRejection) -> dict[str, Any]:
        context = super().page_context(request, record) | {"comparison": rejection_comparison(record)}
        if record.status == ReviewStatus.OPEN:
            context["guidance"] = {
                "sentence": "This row was not recorded as a payment. What is it?",
                "choices": (
                    ("A payment with a wrong detail", "Correct and record: put the detail right, and it is recorded."),
                    ("No payment, or one that comes again", "Dismiss with a reason: it is put aside and kept."),
                ),
            }
        return context

    def story(self, record: StagingRejection) -> list[Step]:
        return [*super().story(record), Step(record.rejected_at, "Rejected", reason=" ".join(_sentences(record)))]

    @display(description="Staged row")
    def staged_row(self, rejection: StagingRejection) -> str:
        return f"Row {rejection.staging_id}" if rejection.staging_id else rejection.origin or f"Line {rejection.pk}"

    @display(description="What is wrong")
    def why(self, rejection: StagingRejection) -> SafeString | str:
        first, *others = _sentences(rejection)
        more = f" (and {len(others)} more)" if others else ""
        return format_html('<span class="ps-wrap">{}{}</span>', first, more)

    @display(description="Brought by")
    def brought_by(self, rejection: StagingRejection) -> str:
        return rejection.origin or "The ETL, in the staging table"

    @display(description="Rejected")
    def rejected(self, rejection: StagingRejection) -> SafeString | str:
        return moment(rejection.rejected_at)

    @display(description="Batch")
    def batch_shown(self, rejection: StagingRejection) -> SafeString | str:
        if rejection.batch_id is None:
            return "None: it never reached the staging table"
        return record_link(StagingProcessLog, rejection.batch_id, "Open the batch")

    @display(description="Raw content")
    def raw_shown(self, rejection: StagingRejection) -> SafeString | str:
        return pretty_json(rejection.raw)

    @confirmed_action(
        description="Correct and record",
        permission="payments.correct_rejection",
        effect="Records one payment with the content below, announces it to other systems and closes this rejection. "
        "The row stays on record as it came. With an error, nothing is changed.",
        form=CorrectionForm,
        initial=lambda rejection: correction_of_rejection(rejection),
        icon="edit",
        variant=ActionVariant.PRIMARY,
    )
    def correct(self, request: HttpRequest, record: StagingRejection, confirmation: Confirmation) -> str:
        return _corrected(correct_rejection, record, confirmation)

    @confirmed_action(
        description="Dismiss with a reason",
        permission="payments.dismiss_rejection",
        effect="Puts the rejected row aside without recording a payment. It stays on record with your reason, and "
        "cannot be opened again.",
        icon="block",
    )
    def dismiss(self, request: HttpRequest, record: StagingRejection, confirmation: Confirmation) -> str:
        dismiss_rejection(record.pk, reason=confirmation.reason, actor=confirmation.actor, at=confirmation.at)
        return "The rejection is dismissed."


@admin.register(ReferenceConflict)
class ReferenceConflictAdmin(ReviewAdmin):
    list_display = ("reference_number", "differing", "payment_channel", "seen", "status_shown")
    list_display_links = ("reference_number",)
    intro = (
        "A reference number that is recorded already came again with other content. The first record stands. Open one "
        "to see what differs, then dismiss it, or record it under a reference of its own."
    )
    empty_text = "No conflict waits for you. One appears here when a recorded reference comes again with other content."
    fieldsets = (
        ("Notice", {"fields": ("source", "staged_row", "batch_shown", "detected", "last_seen", "times_seen")}),
        ReviewAdmin.decision,
        ("Received content as JSON", {"classes": ("collapse",), "fields": ("received_shown",)}),
    )

    def page_context(self, request: HttpRequest, record: ReferenceConflict) -> dict[str, Any]:
        context = super().page_context(request, record) | {"comparison": conflict_comparison(record)}
        if record.status == ReviewStatus.OPEN:
            context["guidance"] = {
                "sentence": "The same reference came with other content. Which is right?",
                "choices": (
                    ("The recorded payment", "Dismiss with a reason, and tell the sender to stop sending the other."),
                    ("Both: they are two payments", "Correct and record: give the second a reference of its own."),
                    ("The received one", "Correct and record it under its own reference. A payment is never edited."),
                ),
            }
        return context

    def story(self, record: ReferenceConflict) -> list[Step]:
        seen = Step(record.detected_at, "Seen for the first time")
        if record.times_seen == 1:
            return [*super().story(record), seen]
        again = Step(record.last_seen_at, f"Seen again, {record.times_seen} times by now")
        return [*super().story(record), again, seen]

    @display(description="What differs")
    def differing(self, conflict: ReferenceConflict) -> SafeString | str:
        parts = (
            f"{part['field'].replace('_', ' ')}: {part['recorded']} → {part['received']}"
            for part in conflict.difference
        )
        return format_html('<span class="ps-wrap">{}</span>', "; ".join(parts))

    @display(description="Seen")
    def seen(self, conflict: ReferenceConflict) -> SafeString | str:
        return format_html("{}×, last {}", conflict.times_seen, moment(conflict.last_seen_at))

    @display(description="Last seen")
    def last_seen(self, conflict: ReferenceConflict) -> SafeString | str:
        return moment(conflict.last_seen_at)

    @display(description="First seen")
    def detected(self, conflict: ReferenceConflict) -> SafeString | str:
        return moment(conflict.detected_at)

    @display(description="Staged row")
    def staged_row(self, conflict: ReferenceConflict) -> str:
        return f"Row {conflict.staging_id}" if conflict.staging_id else "None: it did not come by staging"

    @display(description="Batch")
    def batch_shown(self, conflict: ReferenceConflict) -> SafeString | str:
        if conflict.staging_id is None:
            return NOTHING
        return record_link(StagingProcessLog, conflict.batch_id, "Open the batch")

    @display(description="Received content")
    def received_shown(self, conflict: ReferenceConflict) -> SafeString | str:
        return pretty_json(conflict.received)

    @confirmed_action(
        description="Correct and record",
        permission="payments.correct_conflict",
        effect="Records a payment of its own with the content below, so give it the reference that it should have had. "
        "The payment that was recorded first stays as it is. With an error, nothing is changed.",
        form=CorrectionForm,
        initial=lambda conflict: correction_of_conflict(conflict),
        icon="edit",
        variant=ActionVariant.PRIMARY,
    )
    def correct(self, request: HttpRequest, record: ReferenceConflict, confirmation: Confirmation) -> str:
        return _corrected(correct_conflict, record, confirmation)

    @confirmed_action(
        description="Dismiss with a reason",
        permission="payments.dismiss_conflict",
        effect="Lets the recorded payment stand and puts the other content aside. It stays on record with your reason, "
        "and cannot be opened again.",
        icon="block",
    )
    def dismiss(self, request: HttpRequest, record: ReferenceConflict, confirmation: Confirmation) -> str:
        dismiss_conflict(record.pk, reason=confirmation.reason, actor=confirmation.actor, at=confirmation.at)
        return "The conflict is dismissed."


def _corrected(correct: Callable[..., Recording], record: Review, confirmation: Confirmation) -> str:
    try:
        recording = correct(
            record.pk,
            corrected=confirmation.answers["body"],
            reason=confirmation.reason,
            actor=confirmation.actor,
            at=confirmation.at,
        )
    except CorrectionInConflict as conflict:
        raise with_differences(conflict) from conflict
    return _said(recording)


def correction_of_rejection(rejection: StagingRejection) -> dict[str, Any]:
    """The raw row as the correction form wants it: fields, how they came, and what is wrong with them."""
    raw = rejection.raw
    wrong: dict[str, list[str]] = {}
    for code in rejection.reasons:
        rule = RULE_BY_CODE.get(code)
        if rule is not None and rule.field:
            wrong.setdefault(rule.field, []).append(rule.message)
    return {
        **_fields(raw, default_currency=settings.STAGING_CURRENCY),
        "payment_date": _staged_moment(raw.get("payment_date")),
        "came": {name: f"Came as: {_as_it_came(raw, name)}" for name in wrong if _has_text(raw, name)},
        "wrong": wrong,
    }


def correction_of_conflict(conflict: ReferenceConflict) -> dict[str, Any]:
    received = conflict.received
    differing = {
        part["field"]: f"Recorded: {part['recorded']}. Received: {part['received']}." for part in conflict.difference
    }
    paid_at = parse_moment(str(received.get("payment_date", "")))
    return {
        **_fields(received, default_currency=settings.LEDGER_CURRENCY),
        "payment_date": shown_moment(paid_at) if paid_at else "",
        "came": differing,
        "wrong": {"reference_number": ["This reference is recorded: give the second payment one of its own."]},
    }


def _fields(raw: Mapping[str, Any], *, default_currency: str) -> dict[str, Any]:
    texts = {name: "" if raw.get(name) is None else str(raw[name]) for name in OWN_FIELDS}
    return texts | {
        "amount": amount_text(raw.get("amount")),
        "currency": raw.get("currency") or default_currency,
        "metadata": metadata_text(raw.get("metadata")),
    }


def _has_text(raw: Mapping[str, Any], name: str) -> bool:
    return raw.get(name) is not None and name != "metadata"


def _as_it_came(raw: Mapping[str, Any], name: str) -> str:
    """The raw text; a moment of the staging table has no zone, so the one in which it is read is added."""
    text = amount_text(raw[name])
    return f"{text} ({settings.STAGING_ZONE.key})" if name == "payment_date" else text


def _staged_moment(value: Any) -> str:
    """The staged moment in the ledger's zone; what is none is left as it came, for a person to put right."""
    try:
        naive = datetime.fromisoformat(str(value))
    except ValueError:
        return "" if value is None else str(value)
    return shown_moment(naive.replace(tzinfo=settings.STAGING_ZONE) if naive.tzinfo is None else naive)


def _sentences(rejection: StagingRejection) -> list[str]:
    return reason_sentences(rejection.reasons)


def _said(recording: Recording) -> str:
    if recording.is_new:
        return "The payment is recorded. Its link stands under Decision."
    return "This payment was recorded before with the same content; nothing was recorded twice."
