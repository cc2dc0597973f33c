"""What a kept request can be: still running, or answered for good."""

from __future__ import annotations

from enum import StrEnum


class RequestState(StrEnum):
    # Its first phase is committed, its answer is not known yet; whoever holds the lease works on it.
    RUNNING = "running"
    # The answer is kept, and every repeat hears it.
    ANSWERED = "answered"
