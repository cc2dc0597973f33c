"""How long to wait before the next attempt. Jitter keeps what failed together from coming back together."""

from __future__ import annotations

import random
from datetime import timedelta

EVENT_LIMIT_SECONDS = 300.0
OUTAGE_FIRST_SECONDS = 0.5
OUTAGE_LIMIT_SECONDS = 10.0


def event_delay(attempts: int) -> timedelta:
    """The wait of one refused event after this many failed attempts: 2 s doubling to 5 minutes, less up to half."""
    return timedelta(seconds=min(2.0 ** min(attempts, 20), EVENT_LIMIT_SECONDS) * random.uniform(0.5, 1.0))


def outage_seconds(failures: int) -> float:
    """The wait after this many batches in a row that Kafka did not confirm: 0.5 s doubling to 10 s, less up to 20 %."""
    doubled = OUTAGE_FIRST_SECONDS * 2.0 ** min(failures - 1, 10)
    return min(doubled, OUTAGE_LIMIT_SECONDS) * random.uniform(0.8, 1.0)
