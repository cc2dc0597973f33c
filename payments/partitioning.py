"""Keeps the monthly partitions of payments ahead of the calendar, and makes one for an older month on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime

from django.conf import settings

from kernel.partitions import MonthlyPartitions
from kernel.periods import Month
from kernel.transactions import unit_of_work
from payments.models import Payment

PAYMENT_PARTITIONS = MonthlyPartitions(Payment._meta.db_table)


class KnownMonths:
    """The months that this process knows to have a partition; asked again when a month is not among them."""

    def __init__(self) -> None:
        self._months: frozenset[Month] = frozenset()
        self._ranges = "{}"
        self._lock = threading.Lock()

    def first_days(self) -> list[date]:
        if not self._months:
            self.refresh()
        return sorted(month.first_on for month in self._months)

    def ranges(self) -> str:
        """The moments that have a partition, as a tstzmultirange in PostgreSQL's spelling."""
        if not self._months:
            self.refresh()
        return self._ranges

    def includes(self, month: Month) -> bool:
        return month in self._months

    def refresh(self) -> None:
        with self._lock:
            months = PAYMENT_PARTITIONS.months()
            bounds = (month.bounds() for month in months)
            ranges = (f"[{bound.start_at:%Y%m%dT%H%M%SZ},{bound.end_at:%Y%m%dT%H%M%SZ})" for bound in bounds)
            self._ranges = "{" + ",".join(ranges) + "}"
            self._months = frozenset(months)


known_months = KnownMonths()


def month_of(moment: datetime) -> Month:
    """The month whose partition holds a payment of this moment: partitions are cut at midnight UTC."""
    return Month.of(moment, UTC)


@unit_of_work
def ensure_partitions_ahead(*, at: datetime) -> list[Month]:
    """Makes last month's partition, this month's and PARTITION_MONTHS_AHEAD more; gives those that are new."""
    first = month_of(at).previous()
    return PAYMENT_PARTITIONS.ensure(first.ahead(settings.PARTITION_MONTHS_AHEAD + 2))


@unit_of_work
def ensure_partitions_for(months: Iterable[Month]) -> list[Month]:
    """Makes the missing ones of these months. The caller has checked that payments may be so old."""
    return PAYMENT_PARTITIONS.ensure(months)


@unit_of_work
def move_stray_payments() -> int:
    """Moves payments out of the default partition into partitions of their months; gives how many."""
    return PAYMENT_PARTITIONS.empty_default("payment_date")


def ensure_known(months: Iterable[Month]) -> None:
    """Makes sure, outside any unit of work, that each month has its partition. Free of SQL when all are known."""
    unknown = [month for month in months if not known_months.includes(month)]
    if not unknown:
        return
    known_months.refresh()
    missing = [month for month in unknown if not known_months.includes(month)]
    if missing:
        ensure_partitions_for(missing)
        known_months.refresh()
