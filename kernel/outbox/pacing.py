"""How fast events are sent again: so many a second, and behind what waits already."""

from __future__ import annotations

from dataclasses import dataclass

CHUNK_SECONDS = 0.5
CHUNK_MOST = 500
# While so many events wait for the broker, nothing is added: replays are the first to step back, live events never.
BACKLOG_MOST = 1000
BACKLOG_SECONDS = 1.0
# How much of a delay is made up for afterwards, so that a slow moment does not end in a burst.
MADE_UP_SECONDS = 1.0


def chunk_size(rate: int) -> int:
    """How many events are queued at once at `rate` events per second: those of half a second, 1 to 500."""
    return max(1, min(int(rate * CHUNK_SECONDS), CHUNK_MOST))


@dataclass(slots=True)
class Pace:
    """Keeps to `rate` events per second on the clock that the caller reads, in seconds that only ever grow."""

    rate: int
    due_at: float

    def wait_seconds(self, *, now: float, backlog: int) -> float:
        """How long to wait before the next chunk; 0.0 when it is due. `backlog` counts the events that wait."""
        if backlog >= BACKLOG_MOST:
            return BACKLOG_SECONDS
        return max(self.due_at - now, 0.0)

    def queued(self, events: int, *, now: float) -> None:
        """Notes that so many events were queued now, and puts off the next chunk by their time."""
        self.due_at = max(self.due_at, now - MADE_UP_SECONDS) + events / self.rate
