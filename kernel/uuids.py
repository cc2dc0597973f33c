"""Time-ordered identifiers: UUID version 7 (RFC 9562, section 5.7), so that new rows land at the end of an index."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
COUNTER_BITS = 42
TAIL_BITS = 32
# A clock that steps back by less than this (threads that overtake each other, a time correction) keeps the order;
# a greater step is meant, as when old payments are loaded, and the identifier then shows the older instant.
STEP_BACK_MS = 10_000


class _Sequence:
    """The last instant and counter of this process (RFC 9562, section 6.2, method 1, with a random start)."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.milliseconds = -1
        self.counter = 0

    def next(self, milliseconds: int) -> tuple[int, int]:
        with self.lock:
            if self.milliseconds - STEP_BACK_MS < milliseconds <= self.milliseconds:
                self.counter += 1
            else:
                self.milliseconds = milliseconds
                # The highest bit stays free, so that no millisecond can use the counter up.
                self.counter = int.from_bytes(os.urandom(6), "big") >> (48 - COUNTER_BITS + 1)
            return self.milliseconds, self.counter


_sequence = _Sequence()


def _forget_sequence() -> None:
    global _sequence
    _sequence = _Sequence()


# A forked worker must not go on counting where its parent and its sisters stand.
os.register_at_fork(after_in_child=_forget_sequence)


def uuid7(at: datetime) -> UUID:
    """A UUID of version 7 for the instant `at` (aware, to the millisecond); each is greater than the one before."""
    milliseconds, counter = _sequence.next((at - EPOCH) // MILLISECOND)
    if not 0 <= milliseconds < 1 << 48:
        raise ValueError(f"A version 7 UUID cannot hold the instant {at.isoformat()}.")
    high, low = counter >> 30, counter & ((1 << 30) - 1)
    tail = int.from_bytes(os.urandom(4), "big")
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << TAIL_BITS | tail)
