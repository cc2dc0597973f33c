"""When an invoice is overdue."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

DUE_DAY = 15
MONTHS_TO_PAY = 2


def overdue_date_of(created_on: date, zone: ZoneInfo) -> datetime:
    """Midnight, in the ledger's zone, that begins the 15th of the month two months after the one of `created_on`.

    `created_on` is the ledger's calendar date (domain.md 1.3): made on 2024-01-31, overdue from 2024-03-15 00:00
    Pacific, which is 07:00 UTC.
    """
    months = created_on.month - 1 + MONTHS_TO_PAY
    return datetime(created_on.year + months // 12, months % 12 + 1, DUE_DAY, tzinfo=zone)
