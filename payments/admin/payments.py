"""Payments: found by what is printed on them, looked at, and entered by hand where no system reported one."""

from __future__ import annotations

import unicodedata
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, ConsoleChangeList, confirmed_action, pretty_json
from kernel.outbox.models import OutboxEvent
from payments.admin.display import badge, moment, money, record_address, record_link
from payments.admin.drilldown import PARAMETER, Choice, DrillDown
from payments.admin.filters import ChannelFilter
from payments.admin.records import RecordAdmin, Step
from payments.forms import ManualPaymentForm
from payments.models import PartitionArchive, Payment, StagingProcessLog, StagingRejection, WebhookReceipt
from payments.operations.manual import record_manual_payment
from payments.operations.recording import ReferenceInConflict
from payments.search import find_archive
from payments.states import PaymentSource


class PaymentChangeList(ConsoleChangeList):
    """A list with a drill-down by date that asks the calendar and not the table."""

    def get_filters_params(self, params: Any = None) -> Any:
        kept = super().get_filters_params(params)
        kept.pop(PARAMETER, None)
        return kept

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.drill_down = DrillDown.chosen_by(self.params)
        found = super().get_queryset(request, exclude_parameters)
        period = self.drill_down.period()
        return found if period is None else found.paid_between(period.start_at, period.end_at)

    @property
    def archived_in(self) -> SafeString | str:
        """A link to the archive that holds what was searched for in vain; empty when none does."""
        term = unicodedata.normalize("NFC", self.query.strip())
        if not term or self.result_count:
            return ""
        try:
            archive = find_archive(payment_id=UUID(term))
        except ValueError:
            archive = find_archive(reference=term)
        return "" if archive is None else record_link(PartitionArchive, archive.pk, str(archive), {"find": term})

    @property
    def date_choices(self) -> list[tuple[Choice, str]]:
        return [(choice, self.address_of(choice)) for choice in self.drill_down.choices(at=timezone.now())]

    @property
    def date_back(self) -> tuple[Choice, str] | None:
        back = self.drill_down.back
        return None if back is None else (back, self.address_of(back))

    def address_of(self, choice: Choice) -> str:
        return self.get_query_string({PARAMETER: choice.value} if choice.value else {}, [PARAMETER, "p"])


@admin.register(Payment)
class PaymentAdmin(RecordAdmin):
    list_display = (
        "paid_at",
        "reference_number",
        "loan_account_number",
        "cif",
        "amount_shown",
        "payment_channel",
        "source",
    )
    list_display_links = ("paid_at", "reference_number")
    list_filter = ("source", ChannelFilter)
    list_before_template = "payments/admin/payments_intro.html"
    search_fields = ("reference_number",)
    search_help_text = "Whole reference, account or CIF"
    actions_list = ("record_by_hand",)
    intro = (
        "Every payment that was recorded, the latest recorded first. Search takes a whole reference number, loan "
        "account, CIF or payment id, written exactly as it is: parts of one would mean reading millions of rows."
    )
    empty_text = "Payments appear here as soon as staged rows are taken in, a webhook is accepted or one is entered."
    story_empty = "Nothing was noted beside the recording itself."
    fieldsets = (
        (
            "Who paid what",
            {"fields": ("amount_shown", "reference_number", "loan_account_number", "cif", "payment_channel")},
        ),
        ("When", {"fields": ("paid_at", "recorded_at")}),
        ("Where it came from and who was told", {"fields": ("source", "origin", "event_state")}),
        ("Raw metadata and identifiers", {"classes": ("collapse",), "fields": ("id", "metadata_shown")}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleChangeList]:
        return PaymentChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Ids are ordered by the time of recording and have an index in every partition; an account's payments have
        # one by the moment of payment.
        return ("-payment_date", "-id") if request.GET.get("q", "").strip() else ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = unicodedata.normalize("NFC", search_term.strip())
        return (queryset.filter(_equal_to(term)) if term else queryset), False

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        # Links to a payment outlive its stay in the database.
        try:
            archive = find_archive(payment_id=UUID(unquote(object_id)))
        except ValueError:
            archive = None
        if archive is None:
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)
        self.message_user(request, "This payment is archived. Its archive says what can be done.", messages.WARNING)
        return HttpResponseRedirect(f"{record_address(PartitionArchive, archive.pk)}?find={unquote(object_id)}")

    @display(description=f"Paid ({settings.LEDGER_ZONE.key})")
    def paid_at(self, payment: Payment) -> SafeString | str:
        return moment(payment.payment_date)

    @display(description="Recorded")
    def recorded_at(self, payment: Payment) -> SafeString | str:
        return moment(payment.created_at)

    @display(description="Amount")
    def amount_shown(self, payment: Payment) -> SafeString | str:
        return money(payment.amount, payment.currency)

    @display(description="Metadata")
    def metadata_shown(self, payment: Payment) -> SafeString | str:
        return pretty_json(payment.metadata)

    @display(description="Brought by")
    def origin(self, payment: Payment) -> SafeString | str:
        return origin_of(payment)

    @display(description="Event payment.recorded")
    def event_state(self, payment: Payment) -> SafeString | str:
        event = event_of(payment)
        if event is None:
            return badge("No event was found", "attention")
        if event.queued_at is None:
            state = badge("Delivered", "good")
        elif event.attempts:
            state = badge(f"Waits, tried {event.attempts} times", "attention")
        else:
            state = badge("Waits for delivery", "waiting")
        return SafeString(f"{state} {record_link(OutboxEvent, event.pk, f'Event {event.pk}')}")

    def story(self, record: Payment) -> list[Step]:
        steps = [*super().story(record), Step(record.created_at, f"Recorded ({record.source})")]
        event = event_of(record)
        if event is not None and event.published_at is not None:
            steps.append(Step(event.published_at, f"Event {event.pk} delivered to {event.topic}"))
        return sorted(steps, key=lambda step: step.at, reverse=True)

    @confirmed_action(
        description="Record a payment by hand",
        permission="payments.record_manual_payment",
        effect="Records one payment for good and announces it to other systems. A payment is never edited or deleted "
        "afterwards. If the reference is recorded already with the same content, nothing is written.",
        form=ManualPaymentForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def record_by_hand(self, request: HttpRequest, record: Model | None, confirmation: Confirmation) -> HttpResponse:
        try:
            recording = record_manual_payment(
                confirmation.answers["body"],
                reason=confirmation.reason,
                actor=confirmation.actor,
                at=confirmation.at,
            )
        except ReferenceInConflict as conflict:
            raise with_differences(conflict) from conflict
        said = "The payment is recorded." if recording.is_new else "This payment was recorded before; nothing is new."
        self.message_user(request, said)
        return HttpResponseRedirect(record_address(Payment, recording.payment_id))


def origin_of(payment: Payment) -> SafeString | str:
    """What brought the payment, with a link to it."""
    if payment.source == PaymentSource.STAGING:
        row = f", staged row {payment.source_row_id}" if payment.source_row_id else ""
        found = [f"{record_link(StagingProcessLog, payment.source_batch_id, 'Staging batch')}{row}"]
        rejection = StagingRejection.objects.filter(
            staging_id=payment.source_row_id, recorded_payment_id=payment.id
        ).first()
        if payment.source_row_id and rejection is not None:
            found.append(
                f"after {record_link(StagingRejection, rejection.pk, f'rejection {rejection.pk}')} was corrected"
            )
        return SafeString(", ".join(found))
    if payment.source == PaymentSource.WEBHOOK:
        return record_link(WebhookReceipt, payment.source_batch_id, "Webhook request")
    return "A member of staff" if payment.source == PaymentSource.MANUAL else payment.get_source_display()


def event_of(payment: Payment) -> Any:
    """The OutboxEvent that announced the payment, with its delivery; None when there is none.

    Events have no index by subject. The recorder gives payment and event ids of the same millisecond, so the event is
    in a narrow range of the unique index of event ids: those of one statement, a batch at the most.
    """
    millisecond = payment.id.hex[:12]
    narrow = OutboxEvent.objects.filter(
        event_id__range=(UUID(f"{millisecond}{'0' * 20}"), UUID(f"{millisecond}{'f' * 20}"))
    )
    return narrow.filter(subject=str(payment.id)).with_delivery().first()


def with_differences(conflict: Any) -> Any:
    """The same refusal, whose sentence tells what is recorded and what was given instead."""
    pairs = "; ".join(
        f"{part['field'].replace('_', ' ')}: recorded {part['recorded']}, given {part['received']}"
        for part in conflict.context.get("difference", ())
    )
    return type(conflict)(f"{conflict.detail} {pairs}.".replace("..", "."), **conflict.context)


def _equal_to(term: str) -> Q:
    """Three equalities, each with an index of its own, which PostgreSQL joins; or the key, for a payment's id."""
    try:
        return Q(id=UUID(term))
    except ValueError:
        return Q(reference_number=term) | Q(loan_account_number=term) | Q(cif=term)
