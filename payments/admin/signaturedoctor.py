"""The signature doctor: an operator gives what a partner sent, and reads what the partner must change."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from kernel.audit.actors import Actor
from payments.admin.display import badge, moment, record_link
from payments.admin.problems import meaning_of
from payments.forms import LedgerMomentField, shown_moment
from payments.models import Channel, WebhookReceipt
from payments.operations.diagnosing import Asked, diagnose_request
from payments.signaturedoctor import Certainty, Diagnosis, Finding, GivenRequest, HeadersUnreadable, read_headers

PERMISSION = "payments.diagnose_signature"
ADDRESS = "admin:payments_signaturedoctor_changelist"
LINE_BREAKS = (
    ("lf", "one character (LF), as on Linux and macOS"),
    ("crlf", "two characters (CR LF), as on Windows"),
    ("base64", "none: what is pasted is the base64 of the body's bytes"),
)
BODY_LONGEST = 1_000_000


class DoctorForm(forms.Form):
    """What the partner sent. `cleaned_data["request"]` is the request as the doctor takes it."""

    channel = forms.CharField(
        label="Channel",
        max_length=100,
        help_text="The last part of the address to which the request was sent.",
        widget=UnfoldAdminSelectWidget,
    )
    headers = forms.CharField(
        label="Headers",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
        help_text="One a line, as the partner's log or curl -v shows them: webhook-id: msg_1. Ask for the signature, "
        "the timestamp and the id at least. Never ask for the secret: it is not needed here.",
    )
    body = forms.CharField(
        label="Body",
        required=False,
        strip=False,
        max_length=BODY_LONGEST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off"}),
        help_text="Exactly as it was sent. It is looked at once, and neither stored nor logged.",
    )
    line_breaks = forms.ChoiceField(
        label="Line breaks in the body are",
        choices=LINE_BREAKS,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="A browser does not tell them apart. Ask for the base64 when in doubt: it carries every byte.",
    )
    received_at = LedgerMomentField(
        label="When it was sent",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="2026-03-31 14:05:00 in the ledger's zone, or with a zone behind it. Empty: now.",
    )
    source_address = forms.GenericIPAddressField(
        label="Address that it came from",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Only needed when the channel has a list of allowed addresses.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = list(Channel.objects.order_by("slug").values_list("slug", flat=True))
        named = self.data.get("channel") or self.initial.get("channel")
        if named and named not in slugs:
            slugs.append(named)
        widget: Any = self.fields["channel"].widget
        widget.choices = [("", "Choose a channel"), *((slug, slug) for slug in slugs)]

    def clean_headers(self) -> list[tuple[str, str]]:
        try:
            return read_headers(self.cleaned_data["headers"])
        except HeadersUnreadable as error:
            raise forms.ValidationError(f"Line {error} is no header: write it as Name: value.") from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        text = cleaned.get("body") or ""
        received_at = cleaned.get("received_at")
        cleaned["request"] = GivenRequest(
            headers=cleaned.get("headers") or [],
            body=self._bytes(text, cleaned.get("line_breaks") or "lf") if text else None,
            received_at=datetime.fromisoformat(received_at.replace("Z", "+00:00")).timestamp() if received_at else None,
            source_address=cleaned.get("source_address") or "",
        )
        return cleaned

    def _bytes(self, text: str, line_breaks: str) -> bytes | None:
        if line_breaks == "base64":
            try:
                return b64decode("".join(text.split()), validate=True)
            except (Base64Error, ValueError):
                self.add_error("body", "This is no base64.")
                return None
        lines = text.replace("\r\n", "\n")
        if line_breaks == "crlf":
            lines = lines.replace("\n", "\r\n")
        return lines.encode("utf-8", errors="surrogatepass")


def doctor_page(request: HttpRequest) -> HttpResponse:
    """GET shows the form, filled from `?receipt=`; POST shows the findings above it."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    receipt = _receipt(request)
    form = DoctorForm(request.POST if request.method == "POST" else None, initial=_initial(receipt))
    context: dict[str, Any] = {"diagnosis": None}
    if form.is_bound and form.is_valid():
        at = timezone.now()
        slug = form.cleaned_data["channel"]
        if receipt is not None and receipt.channel_slug != slug:
            receipt = None
        asked = Asked(slug, form.cleaned_data["request"], receipt)
        diagnosis = diagnose_request(asked, actor=Actor.staff(request.user), at=at)
        context = _shown(diagnosis, asked)
    elif receipt is not None and not form.is_bound:
        context["known"] = _known(receipt)
    return TemplateResponse(
        request,
        "payments/admin/signature_doctor.html",
        {
            **admin.site.each_context(request),
            "title": "Signature doctor",
            "form": form,
            "receipt": receipt,
            "receipt_moment": moment(receipt.received_at) if receipt else "",
            "receipt_page": record_link(WebhookReceipt, receipt.pk, "Open the request") if receipt else "",
            **context,
        },
        # What a partner sent may name accounts: nothing between keeps the page.
        headers={"Cache-Control": "no-store"},
    )


def doctor_link(receipt: WebhookReceipt) -> SafeString:
    """The way from a refused request to its diagnosis."""
    address = f"{reverse(ADDRESS)}?receipt={receipt.pk}"
    return format_html('<a class="ps-link" href="{}">Ask the signature doctor</a>', address)


def _receipt(request: HttpRequest) -> WebhookReceipt | None:
    try:
        key = UUID(request.GET.get("receipt", ""))
    except ValueError:
        return None
    return WebhookReceipt.objects.filter(pk=key).first()


def _initial(receipt: WebhookReceipt | None) -> dict[str, Any]:
    if receipt is None:
        return {}
    headers = f"webhook-id: {receipt.receipt_key}\n" if receipt.receipt_key else ""
    return {
        "channel": receipt.channel_slug,
        "headers": headers,
        "received_at": shown_moment(receipt.received_at.replace(microsecond=0)),
        "source_address": receipt.source_address or "",
    }


def _known(receipt: WebhookReceipt) -> dict[str, Any]:
    meaning = meaning_of(receipt.problem_code)
    return {
        "code": receipt.problem_code,
        "sentence": meaning.sentence if meaning else "",
        "next_step": meaning.next_step if meaning else "",
    }


def _shown(diagnosis: Diagnosis, asked: Asked) -> dict[str, Any]:
    return {
        "diagnosis": diagnosis,
        "lines": [(_certainty(found), found) for found in diagnosis.findings],
        "letter": letter(diagnosis, asked),
        "needs_more": not asked.request.headers or asked.request.body is None,
    }


def _certainty(found: Finding) -> SafeString:
    if found.code == "request-fine":
        return badge("Signed properly", "good")
    return badge("Proved", "bad") if found.certainty is Certainty.PROVED else badge("Likely", "attention")


def letter(diagnosis: Diagnosis, asked: Asked) -> str:
    """What can be sent to the partner as it is: no other channel's name, and nothing of the request's content."""
    lines = ["Hello,", ""]
    if asked.receipt is not None:
        at = asked.receipt.received_at
        lines.append(f"your request of {at:%Y-%m-%d %H:%M:%S} UTC to /api/v1/payments/webhook/{asked.channel_slug}")
        lines.append(f"was answered {asked.receipt.status_code} {asked.receipt.problem_code}".rstrip() + ".")
        lines.append(f"Its request id is {asked.receipt.request_id}." if asked.receipt.request_id else "")
    else:
        lines.append(f"we looked at the request that you sent to /api/v1/payments/webhook/{asked.channel_slug}.")
    lines.append("")
    for number, found in enumerate(diagnosis.findings, start=1):
        text = (
            "The request is signed with a secret that belongs to another address."
            if (found.code == "secret-of-another-channel")
            else found.text
        )
        lines += [f"{number}. {text}", f"   What to change: {found.change}"]
    lines += ["", "The whole description, with a worked example to check your code against, is in docs/webhooks.md."]
    return "\n".join(line for before, line in zip(["x", *lines], lines, strict=False) if line or before)
