"""What an operator fills in to send events again."""

from __future__ import annotations

import re

from django import forms

from kernel.outbox.operations import REPLAY_LIMIT

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
