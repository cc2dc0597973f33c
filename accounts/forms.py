"""What staff fill in to add a client or issue a key."""

from __future__ import annotations

from datetime import timedelta

from django import forms

from accounts.operations import ROTATION_OVERLAP
from accounts.scopes import SCOPES

LONGEST_OVERLAP_HOURS = 24 * 30


class ClientForm(forms.Form):
    name = forms.CharField(max_length=200, help_text="As people know it.")
    slug = forms.SlugField(max_length=60, help_text="Short name for logs and commands: lower-case letters, hyphens.")
    contact_note = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Whom to reach, and where."
    )


class KeyForm(forms.Form):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {meaning}") for scope, meaning in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
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
