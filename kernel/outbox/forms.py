"""What an operator fills in to send events again."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings

from kernel.outbox.operations import REPLAY_LIMIT
from kernel.outbox.replays import DEFAULT_RATE, RATE_LIMIT
from kernel.outbox.selection import EventFilter

PART = re.compile(r"([1-9][0-9]{0,17})(?:\s*-\s*([1-9][0-9]{0,17}))?")


class PositionsForm(forms.Form):
    """Positions as a person writes them: `1204, 1310-1325`."""

    positions = forms.CharField(
        max_length=2000,
        help_text=f"Positions of delivered events, such as 1204, 1310-1325; at most {REPLAY_LIMIT} at once.",
    )

    def clean_positions(self) -> list[int]:
        """The positions in order. Asks for one more than may be replayed at most, which the operation then refuses."""
        found: set[int] = set()
        for part in self.cleaned_data["positions"].split(","):
            match = PART.fullmatch(part.strip())
            if match is None:
                raise forms.ValidationError(f"“{part.strip()}” is neither a position nor a range such as 1310-1325.")
            first = int(match[1])
            last = int(match[2] or first)
            if last < first:
                raise forms.ValidationError(f"The range {part.strip()} ends before it begins.")
            found.update(range(first, min(last, first + REPLAY_LIMIT) + 1))
        return sorted(found)


class LedgerMomentField(forms.DateTimeField):
    """A moment as a person reads it off the console: on the ledger's clock."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text=f"On the clock of {settings.LEDGER_ZONE.key}.", **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        return None if moment is None else moment.replace(tzinfo=settings.LEDGER_ZONE)


class EventFilterForm(forms.Form):
    """Which events are sent again, and how fast."""

    begins = LedgerMomentField(label="Occurred from")
    ends = LedgerMomentField(label="Occurred before")
    account = forms.CharField(required=False, max_length=200, help_text="Whole loan account; empty for all accounts.")
    event_type = forms.CharField(
        label="Type", required=False, max_length=100, help_text="Such as payment.recorded; empty for all types."
    )
    rate = forms.IntegerField(
        label="Events per second",
        min_value=1,
        max_value=RATE_LIMIT,
        initial=DEFAULT_RATE,
        help_text=f"1 to {RATE_LIMIT:,}. Readers must keep up with it beside the live events.",
    )

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or self.cleaned_data
        if "begins" in answers and "ends" in answers and answers["begins"] >= answers["ends"]:
            self.add_error("ends", "The range ends before it begins.")
        return answers

    @property
    def chosen(self) -> EventFilter:
        """Of a valid form."""
        answers = self.cleaned_data
        return EventFilter(
            answers["begins"], answers["ends"], answers["account"].strip(), answers["event_type"].strip()
        )


class ReplayReasonForm(forms.Form):
    """Why, and exactly which events were on the page when somebody said so."""

    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Which reader lost them, and how that was found. Kept in the audit; whoever approves decides by it.",
        error_messages={"required": "Say why: the reason is kept in the audit."},
    )
    ticket = forms.CharField(required=False, max_length=100, help_text="The number of the ticket, if there is one.")
    highest_position = forms.IntegerField(widget=forms.HiddenInput)
    digest = forms.CharField(widget=forms.HiddenInput)
