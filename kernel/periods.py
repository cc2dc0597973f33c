"""Half-open periods: the start belongs to them, the end does not, so that neighbours neither overlap nor gape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From `start_at` until before `end_at`; both aware, kept in UTC."""

    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None or self.end_at.tzinfo is None:
            raise ValueError("A period is bounded by instants with a zone.")
        object.__setattr__(self, "start_at", self.start_at.astimezone(UTC))
        object.__setattr__(self, "end_at", self.end_at.astimezone(UTC))
        if self.end_at < self.start_at:
            raise ValueError(f"A period cannot end ({self.end_at.isoformat()}) before it starts.")

    def __contains__(self, at: datetime) -> bool:
        return self.start_at <= at < self.end_at

    def __bool__(self) -> bool:
        return self.start_at < self.end_at

    @property
    def length(self) -> timedelta:
        return self.end_at - self.start_at

    def overlaps(self, other: Period) -> bool:
        return max(self.start_at, other.start_at) < min(self.end_at, other.end_at)


@dataclass(frozen=True, slots=True, order=True)
class DateRange:
    """The days from `start_on` until before `end_on`."""

    start_on: date
    end_on: date

    def __post_init__(self) -> None:
        if isinstance(self.start_on, datetime) or isinstance(self.end_on, datetime):
            raise TypeError("A date range is bounded by dates, not by instants.")
        if self.end_on < self.start_on:
            raise ValueError(f"A date range cannot end ({self.end_on}) before it starts ({self.start_on}).")

    @classmethod
    def day(cls, on: date) -> DateRange:
        return cls(on, on + DAY)

    @classmethod
    def week(cls, on: date) -> DateRange:
        """The week that the day is in, Monday to Sunday (ISO 8601)."""
        monday = on - timedelta(days=on.weekday())
        return cls(monday, monday + 7 * DAY)

    @classmethod
    def month(cls, on: date) -> DateRange:
        return Month.containing(on).dates

    @classmethod
    def through(cls, first_on: date, last_on: date) -> DateRange:
        """From the first to the last day, the last one included, as people say it."""
        return cls(first_on, last_on + DAY)

    @property
    def last_on(self) -> date:
        """The last day inside. Raises ValueError for an empty range."""
        if not self:
            raise ValueError("An empty date range has no last day.")
        return self.end_on - DAY

    def __contains__(self, on: date) -> bool:
        return self.start_on <= on < self.end_on

    def __len__(self) -> int:
        return (self.end_on - self.start_on).days

    def __iter__(self) -> Iterator[date]:
        return (self.start_on + timedelta(days=offset) for offset in range(len(self)))

    def overlaps(self, other: DateRange) -> bool:
        return max(self.start_on, other.start_on) < min(self.end_on, other.end_on)

    def bounds(self, zone: tzinfo) -> Period:
        """The same days as instants: from midnight to midnight in the zone, whatever the clocks do in between."""
        return Period(_midnight(self.start_on, zone), _midnight(self.end_on, zone))


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, known by its first day."""

    first_on: date

    def __post_init__(self) -> None:
        if isinstance(self.first_on, datetime) or self.first_on.day != 1:
            raise ValueError(f"A month is known by its first day, not by {self.first_on}.")

    @classmethod
    def of(cls, at: datetime, zone: tzinfo) -> Month:
        """The month that the instant is in, by the calendar of the zone."""
        if at.tzinfo is None:
            raise ValueError("Only an instant with a zone is in a month of another zone.")
        return cls.containing(at.astimezone(zone).date())

    @classmethod
    def containing(cls, on: date) -> Month:
        return cls(date(on.year, on.month, 1))

    @classmethod
    def parse(cls, label: str) -> Month:
        """The month of a label such as 2026_11. Raises ValueError for anything else."""
        year, _, month = label.partition("_")
        if len(year) != 4 or len(month) != 2 or not (year + month).isascii() or not (year + month).isdigit():
            raise ValueError(f"{label!r} is not a month: it should look like 2026_11.")
        return cls(date(int(year), int(month), 1))

    @property
    def label(self) -> str:
        """Such as 2026_11, which sorts as text in the order of time."""
        return f"{self.first_on.year:04}_{self.first_on.month:02}"

    @property
    def dates(self) -> DateRange:
        return DateRange(self.first_on, self.next().first_on)

    def bounds(self, zone: tzinfo = UTC) -> Period:
        return self.dates.bounds(zone)

    def next(self) -> Month:
        return self.plus(1)

    def previous(self) -> Month:
        return self.plus(-1)

    def plus(self, months: int) -> Month:
        """So many months later, or earlier when negative."""
        year, month = divmod(self.first_on.year * 12 + self.first_on.month - 1 + months, 12)
        return Month(date(year, month + 1, 1))

    def ahead(self, count: int) -> Iterator[Month]:
        """This month and those after it, `count` in all."""
        return (self.plus(offset) for offset in range(count))

    def until(self, end: Month) -> Iterator[Month]:
        """This month and those after it, until before `end`."""
        month = self
        while month < end:
            yield month
            month = month.next()

    def __str__(self) -> str:
        return self.label


def _midnight(on: date, zone: tzinfo) -> datetime:
    return datetime.combine(on, time(), tzinfo=zone).astimezone(UTC)
