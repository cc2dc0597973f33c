"""When the first debit may be drawn: after a waiting time in which the customer can object. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def first_debit_at(accepted_at: datetime, *, waiting_days: int, zone: ZoneInfo) -> datetime:
    """The midnight in `zone` after which debits may be drawn.

    The day of acceptance does not count: accepted on the 1st, with three days of waiting, the first debit is on the
    5th.
    """
    first_on = accepted_at.astimezone(zone).date() + timedelta(days=waiting_days + 1)
    return datetime.combine(first_on, time(), tzinfo=zone)
