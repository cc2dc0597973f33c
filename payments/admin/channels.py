"""Channels: who may send webhooks, their secrets (shown once, never again), and what was sent last."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from kernel.adminsite import Confirmation, confirmed_action, pretty_json
from payments.adapters import ADAPTERS
from payments.admin.channelforms import ChannelForm, NewChannelForm, RotationForm, fields_of
from payments.admin.display import NOTHING, badge, list_link, moment, record_address, record_link
from payments.admin.filters import ChannelSlugFilter
from payments.admin.problems import meaning_of
from payments.admin.records import RecordAdmin
from payments.admin.signaturedoctor import PERMISSION as DIAGNOSE
from payments.admin.signaturedoctor import doctor_link, doctor_page
from payments.models import Channel, Payment, WebhookReceipt
from payments.operations.channels import (
    IssuedSecret,
    create_channel,
    revoke_previous_secret,
    rotate_secret,
    update_channel,
)
from payments.states import ReceiptOutcome, SignatureScheme

RECEIPTS_SHOWN = 5
OUTCOMES_SHOWN = {
    ReceiptOutcome.CREATED: ("Created", "good"),
    ReceiptOutcome.DUPLICATE: ("Duplicate", "plain"),
    ReceiptOutcome.CONFLICT: ("Conflict", "attention"),
    ReceiptOutcome.REFUSED: ("Refused", "bad"),
}


@admin.register(Channel)
class ChannelAdmin(RecordAdmin):
    list_display = ("name", "slug", "state", "format_shown", "scheme_shown", "networks_shown", "secret_state")
    list_display_links = ("name", "slug")
    ordering = ("name",)
    actions_list = ("add_channel",)
    actions_detail = ("change_channel", "rotate", "end_old_secret")
    change_form_outer_after_template = "payments/admin/after_channel.html"
    intro = "Outside systems that may send payments as signed webhooks. Each has its own address, format and secret."
    empty_text = "No outside system may send payments yet. Set up a channel to get an address and a secret for it."
    story_empty = "Changes to this channel will appear here, with who and why."
    fieldsets = (
        ("Channel", {"fields": ("short_name", "state", "format_shown", "currency_shown")}),
        ("Who may send", {"fields": ("scheme_shown", "networks_shown", "limits_shown")}),
        ("Secret", {"fields": ("secret_state", "rotated")}),
        ("Paths of the configured format", {"classes": ("collapse",), "fields": ("mapping_shown",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # A page never shows a secret, so it does not read one either.
        return super().get_queryset(request).defer("secret", "previous_secret")

    def page_context(self, request: HttpRequest, record: Channel) -> dict[str, Any]:
        receipts = list(
            WebhookReceipt.objects.filter(channel_slug=record.slug).order_by("-received_at")[:RECEIPTS_SHOWN]
        )
        return super().page_context(request, record) | {
            "address": request.build_absolute_uri(f"/api/v1/payments/webhook/{record.slug}"),
            "is_plain": record.signature_scheme == SignatureScheme.PLAIN_HMAC,
            "is_generic": record.adapter == "generic",
            "currency": record.currency or settings.LEDGER_CURRENCY,
            "receipts": [
                (moment(receipt.received_at), outcome_badge(receipt), explanation(receipt), receipt_link(receipt))
                for receipt in receipts
            ],
            "all_receipts": list_link(WebhookReceipt, "All requests of this channel", {"channel": record.slug}),
        }

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions = super().get_actions_detail(request, object_id)
        channel = self.get_object(request, str(object_id))
        if channel is not None and _is_overlapping(channel):
            return actions
        return [action for action in actions if not action.action_name.endswith("end_old_secret")]

    @display(description="Short name")
    def short_name(self, channel: Channel) -> str:
        return channel.slug

    @display(description="State")
    def state(self, channel: Channel) -> SafeString:
        return badge("Active", "good") if channel.is_active else badge("Not active", "plain")

    @display(description="Format")
    def format_shown(self, channel: Channel) -> str:
        adapter = ADAPTERS.get(channel.adapter)
        return adapter.title if adapter else f"{channel.adapter}: not known to this version"

    @display(description="Signature")
    def scheme_shown(self, channel: Channel) -> str:
        is_plain = channel.signature_scheme == SignatureScheme.PLAIN_HMAC
        return "Plain X-Signature" if is_plain else "Standard Webhooks"

    @display(description="Sends from")
    def networks_shown(self, channel: Channel) -> str:
        return ", ".join(channel.allowed_networks) or "anywhere"

    @display(description="Currency when none is named")
    def currency_shown(self, channel: Channel) -> str:
        return channel.currency or f"{settings.LEDGER_CURRENCY}, as the ledger"

    @display(description="Limits")
    def limits_shown(self, channel: Channel) -> str:
        return (
            f"{channel.rate_limit_per_minute:,} requests a minute from one address; clocks may differ by "
            f"{channel.clock_tolerance_seconds} s"
        )

    @display(description="Secret")
    def secret_state(self, channel: Channel) -> SafeString | str:
        if _is_overlapping(channel):
            return format_html(
                "{} until {}", badge("Two are good", "waiting"), moment(channel.previous_secret_expires_at)
            )
        return "One, not shown"

    @display(description="Rotated")
    def rotated(self, channel: Channel) -> SafeString | str:
        return moment(channel.secret_rotated_at)

    @display(description="Mapping")
    def mapping_shown(self, channel: Channel) -> SafeString | str:
        return pretty_json(channel.mapping) if channel.mapping else "Not used by this format"

    @confirmed_action(
        description="Set up a channel",
        permission="payments.add_channel",
        effect="Makes an address at which an outside system can send payments, and a secret with which it signs. The "
        "secret is shown once, on the next page.",
        form=NewChannelForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def add_channel(self, request: HttpRequest, record: Model | None, confirmation: Confirmation) -> HttpResponse:
        values = dict(confirmation.answers["values"])
        issued = create_channel(
            scheme=SignatureScheme(values.pop("signature_scheme")),
            actor=confirmation.actor,
            at=confirmation.at,
            reason=confirmation.reason,
            **values,
        )
        return self._show_once(request, issued)

    @confirmed_action(
        description="Change",
        permission="payments.change_channel",
        effect="Changes how requests of this channel are checked and read, from the next few seconds on. Payments that "
        "were recorded stay as they are.",
        form=ChannelForm,
        initial=fields_of,
        icon="edit",
    )
    def change_channel(self, request: HttpRequest, record: Channel, confirmation: Confirmation) -> str:
        update_channel(
            record,
            changes=confirmation.answers["values"],
            actor=confirmation.actor,
            at=confirmation.at,
            reason=confirmation.reason,
        )
        return "The channel is changed."

    @confirmed_action(
        description="Rotate secret",
        permission="payments.rotate_channel_secret",
        effect="Makes a new secret and shows it once. The present one stays good for the hours that you give, so that "
        "the sender can change over without a gap.",
        form=RotationForm,
        icon="key",
    )
    def rotate(self, request: HttpRequest, record: Channel, confirmation: Confirmation) -> HttpResponse:
        issued = rotate_secret(
            record,
            overlap_hours=confirmation.answers["overlap_hours"],
            actor=confirmation.actor,
            at=confirmation.at,
            reason=confirmation.reason,
        )
        return self._show_once(request, issued)

    @confirmed_action(
        description="End the old secret now",
        permission="payments.rotate_channel_secret",
        effect="The secret before the last rotation stops being good at once. Requests that are signed with it are "
        "refused from then on.",
        icon="key_off",
    )
    def end_old_secret(self, request: HttpRequest, record: Channel, confirmation: Confirmation) -> str:
        revoke_previous_secret(record, actor=confirmation.actor, at=confirmation.at, reason=confirmation.reason)
        return "The old secret has ended; only the new one is good."

    def _show_once(self, request: HttpRequest, issued: IssuedSecret) -> HttpResponse:
        channel = issued.channel
        context = {
            **self.admin_site.each_context(request),
            "title": f"The secret of {channel}",
            "opts": self.opts,
            "channel": channel,
            "secret": issued.secret,
            "overlap_ends": moment(channel.previous_secret_expires_at) if _is_overlapping(channel) else "",
            "back": record_address(Channel, channel.pk),
        }
        # Neither kept by the browser nor by anything between: it is readable this once.
        answer = TemplateResponse(request, "payments/admin/secret.html", context, headers={"Cache-Control": "no-store"})
        return answer.render()


@admin.register(WebhookReceipt)
class WebhookReceiptAdmin(RecordAdmin):
    list_display = (
        "received",
        "channel",
        "outcome_shown",
        "explanation_shown",
        "reference_number",
        "source_address",
    )
    list_title = "Webhook requests"
    list_display_links = ("received",)
    list_filter = ("outcome", ChannelSlugFilter)
    ordering = ("-received_at",)
    intro = (
        "Every request at a webhook, the latest first, with its answer. A refused one says what the sender must do. "
        "Bodies are not kept, only their digest."
    )
    empty_text = "No request has come yet. Each one appears here the moment it is answered, refused ones too."
    story_empty = "A request has no further story: the answer was given at once."
    change_form_outer_before_template = "payments/admin/before_receipt.html"
    fieldsets = (
        ("Request", {"fields": ("received", "channel", "source_address", "receipt_key", "request_id")}),
        ("Answer", {"fields": ("outcome_shown", "status_code", "explanation_shown", "next_step", "took")}),
        ("Payment", {"fields": ("reference_number", "payment")}),
        ("Digest of the body", {"classes": ("collapse",), "fields": ("body_digest",)}),
    )

    def get_urls(self) -> list[URLPattern]:
        page = path("doctor/", self.admin_site.admin_view(doctor_page), name="payments_signaturedoctor_changelist")
        return [page, *super().get_urls()]

    def page_context(self, request: HttpRequest, record: WebhookReceipt) -> dict[str, Any]:
        may_ask = record.outcome == ReceiptOutcome.REFUSED and request.user.has_perm(DIAGNOSE)
        return super().page_context(request, record) | {"doctor": doctor_link(record) if may_ask else ""}

    @display(description="Received")
    def received(self, receipt: WebhookReceipt) -> SafeString | str:
        return moment(receipt.received_at)

    @display(description="Channel")
    def channel(self, receipt: WebhookReceipt) -> str:
        return receipt.channel_slug

    @display(description="Outcome")
    def outcome_shown(self, receipt: WebhookReceipt) -> SafeString:
        return outcome_badge(receipt)

    @display(description="What it means")
    def explanation_shown(self, receipt: WebhookReceipt) -> SafeString | str:
        return format_html('<span class="ps-wrap">{}</span>', explanation(receipt))

    @display(description="What the sender should do")
    def next_step(self, receipt: WebhookReceipt) -> str:
        meaning = meaning_of(receipt.problem_code)
        return meaning.next_step if meaning else "Nothing."

    @display(description="Took")
    def took(self, receipt: WebhookReceipt) -> str:
        return NOTHING if receipt.duration_ms is None else f"{receipt.duration_ms} ms"

    @display(description="Payment")
    def payment(self, receipt: WebhookReceipt) -> SafeString | str:
        return record_link(Payment, receipt.payment_id, "Open the payment") if receipt.payment_id else "None"


def outcome_badge(receipt: WebhookReceipt) -> SafeString:
    word, kind = OUTCOMES_SHOWN[ReceiptOutcome(receipt.outcome)]
    return badge(f"{word} {receipt.status_code}", kind)


def explanation(receipt: WebhookReceipt) -> str:
    """What became of the request, in one sentence."""
    if receipt.problem_code:
        meaning = meaning_of(receipt.problem_code)
        return meaning.sentence if meaning else receipt.problem_code
    if receipt.outcome == ReceiptOutcome.CREATED:
        return "A new payment was recorded."
    if receipt.outcome == ReceiptOutcome.DUPLICATE:
        return "The same payment again; nothing was recorded twice."
    return "The reference is recorded with other content; see the conflicts."


def receipt_link(receipt: WebhookReceipt) -> SafeString | str:
    address = reverse("admin:payments_webhookreceipt_change", args=[receipt.pk])
    return format_html('<a class="ps-link" href="{}">Open</a>', address)


def _is_overlapping(channel: Channel) -> bool:
    """Whether the secret before the last rotation is still good."""
    ends_at = channel.previous_secret_expires_at
    return ends_at is not None and ends_at > timezone.now()
