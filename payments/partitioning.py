"""Keeps the monthly partitions of payments ahead of the calendar, and makes one for an older month on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from kernel.partitions import MonthlyPartitions
from kernel.periods import Month
from kernel.transactions import unit_of_work
from payments.models import Payment

PAYMENT_PARTITIONS = MonthlyPartitions(Payment._meta.db_table)
# What the default partition's trigger calls its refusal of a payment whose month was taken out for the archive.
MONTH_IS_ATTACHED = "payments_month_is_attached"
# For how long a process trusts what it knows: a month may be taken out by another process, but only an old one.
TRUSTED_SECONDS = 60.0
TRUSTED_SECONDS_WITH_OLD_MONTHS = 0.1


class KnownMonths:
    """The months that this process knows to have a partition; asked again when a month is not among them.

    What it knows grows old, because archiving takes months out. A process that relies on a month which was taken out
    a moment ago writes nothing: the default partition refuses the row with an error that a retry mends.
    """

    def __init__(self) -> None:
        self._months: frozenset[Month] = frozenset()
        self._ranges = "{}"
        self._trusted_until = 0.0
        self._lock = threading.Lock()

    def first_days(self) -> list[date]:
        self._look_again_when_due()
        return sorted(month.first_on for month in self._months)

    def ranges(self) -> str:
        """The moments that have a partition, as a tstzmultirange in PostgreSQL's spelling."""
        self._look_again_when_due()
        return self._ranges

    def includes(self, month: Month) -> bool:
        self._look_again_when_due()
        return month in self._months

    def refresh(self) -> None:
        with self._lock:
            looked_at = time.monotonic()
            months = PAYMENT_PARTITIONS.months()
            bounds = (month.bounds() for month in months)
            ranges = (f"[{bound.start_at:%Y%m%dT%H%M%SZ},{bound.end_at:%Y%m%dT%H%M%SZ})" for bound in bounds)
            self._ranges = "{" + ",".join(ranges) + "}"
            self._months = frozenset(months)
            has_old = bool(months) and months[0] < oldest_kept(timezone.now())
            self._trusted_until = looked_at + (TRUSTED_SECONDS_WITH_OLD_MONTHS if has_old else TRUSTED_SECONDS)

    def _look_again_when_due(self) -> None:
        if time.monotonic() < self._trusted_until:
            return
        # While another thread looks, the others go on with what is known.
        if not self._months or not self._lock.locked():
            self.refresh()


known_months = KnownMonths()


def month_of(moment: datetime) -> Month:
    """The month whose partition holds a payment of this moment: partitions are cut at midnight UTC."""
    return Month.of(moment, UTC)


def oldest_kept(at: datetime) -> Month:
    """The oldest month that stays attached; those before it are due for the archive."""
    return month_of(at).plus(-settings.PARTITION_RETENTION_MONTHS)


def is_archived_month(error: DatabaseError) -> bool:
    """Whether the database refused a payment because its month was taken out after this process had last looked.

    Nothing was written. Whoever catches it calls `known_months.refresh()`, makes the month with `ensure_known` and
    repeats.
    """
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is not None and diagnosis.constraint_name == MONTH_IS_ATTACHED


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
