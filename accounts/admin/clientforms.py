"""What staff fill in to add a client, let it reach accounts and products, or issue a key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.models import ApiClient
from accounts.operations import ROTATION_OVERLAP, Reach
from accounts.scopes import SCOPES

LONGEST_OVERLAP_HOURS = 24 * 30


class ClientForm(forms.Form):
    name = forms.CharField(max_length=200, help_text="As people know it.")
    slug = forms.SlugField(max_length=60, help_text="Short name for logs and commands: lower-case letters, hyphens.")
    contact_note = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Whom to reach, and where."
    )


class ReachForm(forms.Form):
    """Accounts by number, one a line; products by tick. The answers hold both together as `reach`."""

    all_accounts = forms.BooleanField(required=False, label="All accounts", help_text="For systems of our own only.")
    accounts = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Or these accounts",
        help_text="Account numbers, one a line. Not looked at when all are allowed.",
    )
    all_products = forms.BooleanField(required=False, label="All products")
    products: Any = ApiClient._meta.get_field("products").formfield(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        label="Or these products",
        help_text="Not looked at when all are allowed.",
    )

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        if not self.errors:
            numbers = frozenset(filter(None, (line.strip() for line in answers["accounts"].splitlines())))
            codes = frozenset(product.pk for product in answers["products"])
            answers["reach"] = Reach(
                accounts=None if answers["all_accounts"] else numbers,
                products=None if answers["all_products"] else codes,
            )
        return answers


def reach_of(client: ApiClient) -> dict[str, Any]:
    """What the form shows before anything is changed."""
    reach = Reach.of(client)
    return {
        "all_accounts": reach.accounts is None,
        "accounts": "\n".join(sorted(reach.accounts or ())),
        "all_products": reach.products is None,
        "products": sorted(reach.products or ()),
    }


class KeyForm(forms.Form):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {meaning}") for scope, meaning in SCOPES.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    expires_at = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="In UTC. Leave empty for a key that does not expire.",
    )


class RotationForm(forms.Form):
    overlap_hours = forms.IntegerField(
        min_value=0,
        max_value=LONGEST_OVERLAP_HOURS,
        initial=int(ROTATION_OVERLAP.total_seconds() // 3600),
        help_text="How many hours the old key stays valid beside the new one.",
    )

    def clean_overlap_hours(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["overlap_hours"])
