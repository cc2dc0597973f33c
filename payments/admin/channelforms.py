"""Forms for channels: every field checked by the same rules as the operations use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from kernel import exactjson
from kernel.exactjson import JsonInvalid
from payments.adapters import ADAPTERS
from payments.operations.channels import CHANGEABLE, OVERLAP_HOURS, OVERLAP_MAX_HOURS, channel_errors
from payments.states import SignatureScheme

SCHEMES = (
    (SignatureScheme.STANDARD_WEBHOOKS, "Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature"),
    (SignatureScheme.PLAIN_HMAC, "Plain: X-Signature with sha256=<hex>"),
)


class ChannelForm(forms.Form):
    """What a channel is. `cleaned_data["values"]` holds what the operations take."""

    name = forms.CharField(label="Name", max_length=200, help_text="Who sends: the bank, the shop, the partner.")
    is_active = forms.BooleanField(
        label="Active", required=False, initial=True, help_text="Requests of a channel that is not active are refused."
    )
    adapter = forms.ChoiceField(
        label="Format of the body",
        choices=lambda: [(name, ADAPTERS[name].title) for name in ADAPTERS],
        widget=UnfoldAdminSelectWidget,
    )
    mapping = forms.CharField(
        label="Paths of the configured format",
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text='Only for the format "configured": our field and its path in the body, as JSON. Example: '
        '{"reference_number": "data.ref", "loan_account_number": "data.account", "cif": "data.customer", '
        '"amount": {"path": "data.cents", "transforms": ["minor_units"]}, "payment_date": "data.paid_at"}',
    )
    currency = forms.CharField(
        label="Currency when a body names none", required=False, max_length=3, help_text="Empty: the ledger's currency."
    )
    signature_scheme = forms.ChoiceField(
        label="How requests are signed", choices=SCHEMES, widget=UnfoldAdminSelectWidget
    )
    allowed_networks = forms.CharField(
        label="Addresses that may send",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One address or CIDR range a line, such as 203.0.113.0/24 or 2001:db8::/32. Empty: from anywhere.",
    )
    rate_limit_per_minute = forms.IntegerField(
        label="Requests a minute from one address",
        initial=60000,
        help_text="More are answered with 429.",
    )
    clock_tolerance_seconds = forms.IntegerField(
        label="Tolerance of the sender's clock, in seconds", initial=300, help_text="1 to 3600; 300 is usual."
    )

    def clean_mapping(self) -> Any:
        text = self.cleaned_data["mapping"].strip()
        if not text:
            return {}
        try:
            return exactjson.loads(text)
        except JsonInvalid as refusal:
            raise forms.ValidationError(refusal.detail.replace("The body", "The text")) from None

    def clean_allowed_networks(self) -> list[str]:
        return self.cleaned_data["allowed_networks"].replace(",", " ").split()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        values = {name: cleaned[name] for name in ("slug", *CHANGEABLE) if name in cleaned}
        for problem in channel_errors(values):
            self.add_error(problem.field if problem.field in self.fields else None, problem.message)
        return cleaned | {"values": values}


class NewChannelForm(ChannelForm):
    """A channel that is not there yet; its address cannot be changed later."""

    slug = forms.CharField(
        label="Short name",
        max_length=100,
        help_text="Part of its address, /api/v1/payments/webhook/SHORT-NAME: lower-case letters, digits and hyphens. "
        "It cannot be changed later.",
    )
    field_order = ("slug",)


class RotationForm(forms.Form):
    """How long the secret before stays good."""

    overlap_hours = forms.IntegerField(
        label="Hours that the present secret stays good",
        min_value=0,
        max_value=OVERLAP_MAX_HOURS,
        initial=OVERLAP_HOURS,
        help_text=f"0 to {OVERLAP_MAX_HOURS}. Long enough for the sender to change over; 0 ends it at once, for a "
        "secret that has leaked.",
    )


def fields_of(channel: Any) -> Mapping[str, Any]:
    """A channel as the form shows it."""
    return {name: getattr(channel, name) for name in CHANGEABLE} | {
        "mapping": exactjson.dumps(channel.mapping) if channel.mapping else "",
        "allowed_networks": "\n".join(channel.allowed_networks),
    }
