"""The stretch of time that the page of performance shows, cut into equal steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PARAMETER = "window"


@dataclass(frozen=True, slots=True)
class Window:
    """A choice of the page. `name` stands in the address; is_fine asks for steps shorter than a summary."""

    name: str
    title: str
    length: timedelta
    step: timedelta
    is_fine: bool

    def ends(self, at: datetime) -> list[datetime]:
        """The ends of the steps, the last of which holds the instant: (end - step, end]."""
        seconds = self.step.total_seconds()
        last = datetime.fromtimestamp(-(-at.timestamp() // seconds) * seconds, UTC)
        steps = self.length // self.step
        return [last - (steps - 1 - place) * self.step for place in range(steps)]

    def step_of(self, at: datetime, ends: list[datetime]) -> int | None:
        """The place of the step that the instant lies in; None outside."""
        place = -((ends[-1] - at) // self.step) + len(ends) - 1
        return place if 0 <= place < len(ends) else None


HOUR = Window("hour", "Last hour", timedelta(hours=1), timedelta(minutes=1), is_fine=True)
DAY = Window("day", "Last day", timedelta(hours=24), timedelta(minutes=10), is_fine=False)
WINDOWS = (HOUR, DAY)


def window_chosen_by(parameters: Mapping[str, str]) -> Window:
    """From an address: window=day. Anything else is the hour."""
    return next((window for window in WINDOWS if window.name == parameters.get(PARAMETER)), HOUR)
