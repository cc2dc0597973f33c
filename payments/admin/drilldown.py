"""From year and month to the day, without asking the table which days there are: months come from the partitions."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.admin.options import IncorrectLookupParameters

from kernel.calendar import business_date, business_day_bounds, ledger_zone
from kernel.periods import Month, Period
from payments.partitioning import PAYMENT_PARTITIONS

PARAMETER = "paid"
MONTHS_SHOWN = 13


@dataclass(frozen=True, slots=True)
class Choice:
    """One link of the drill-down. `value` goes into the address; empty means all."""

    label: str
    value: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class DrillDown:
    """What is chosen (a month, a day of it, or nothing), in the ledger's zone."""

    month: Month | None = None
    day: date | None = None

    @classmethod
    def chosen_by(cls, parameters: Mapping[str, str]) -> DrillDown:
        """From an address: paid=2026-11 or paid=2026-11-20. Anything else is an IncorrectLookupParameters."""
        text = parameters.get(PARAMETER, "")
        try:
            if len(text) == 7:
                return cls(Month.parse(text.replace("-", "_")))
            if text:
                day = date.fromisoformat(text)
                return cls(Month.containing(day), day)
        except ValueError as error:
            raise IncorrectLookupParameters(f"{PARAMETER} is a month or a day.") from error
        return cls()

    def period(self) -> Period | None:
        if self.day is not None:
            return business_day_bounds(self.day)
        return self.month.bounds(ledger_zone()) if self.month is not None else None

    def choices(self, *, at: datetime) -> list[Choice]:
        """The months that have a partition, the latest first; within a month its days."""
        if self.month is None:
            return [Choice(_month_name(month), _label(month)) for month in _months(at)]
        last = calendar.monthrange(self.month.first_on.year, self.month.first_on.month)[1]
        days = [self.month.first_on.replace(day=number) for number in range(1, last + 1)]
        return [Choice(str(day.day), day.isoformat(), day == self.day) for day in days if day <= business_date(at)]

    @property
    def title(self) -> str:
        if self.month is None:
            return "Paid in"
        return f"Paid in {_month_name(self.month)}" if self.day is None else f"Paid on {self.day.isoformat()}"

    @property
    def back(self) -> Choice | None:
        """One step up: from a day to its month, from a month to all."""
        if self.day is not None and self.month is not None:
            return Choice(f"All of {_month_name(self.month)}", _label(self.month))
        return Choice("All dates", "") if self.month is not None else None


def _months(at: datetime) -> list[Month]:
    today = business_date(at)
    # Asked of the catalogue: another process may have made an older month since this one last looked.
    months = [month for month in PAYMENT_PARTITIONS.months() if month.first_on <= today]
    return months[::-1][:MONTHS_SHOWN]


def _label(month: Month) -> str:
    return f"{month.first_on:%Y-%m}"


def _month_name(month: Month) -> str:
    return f"{calendar.month_name[month.first_on.month]} {month.first_on.year}"
