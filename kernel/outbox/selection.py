"""Events chosen by time, account and type: counted, shown in part, and frozen so that it stays the same choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from kernel.errors import Refused
from kernel.reading import limited_reading

# One selection holds so many events at the most; counting them is ended after READ_MS.
SELECTION_LIMIT = 500_000
READ_MS = 4000
SHOWN = 3


class SelectionTooLarge(Refused):
    """The choice holds more events than one replay may."""

    code = "selection-too-large"
    next_step = "Choose a shorter range of time, or one account."


class FilterUnfit(Refused):
    """The range of time ends before it begins."""

    code = "event-filter-unfit"
    next_step = "Let the range end after it begins."


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: those that occurred in [from_at, to_at), of one key (account) and one type where given."""

    from_at: datetime
    to_at: datetime
    key: str = ""
    event_type: str = ""

    def __post_init__(self) -> None:
        if self.from_at >= self.to_at:
            raise FilterUnfit

    @property
    def condition(self) -> str:
        """SQL over outbox_event, for the values below; what is not given is left out, so that the plan knows it."""
        parts = ["occurred_at >= %(from_at)s", "occurred_at < %(to_at)s"]
        parts += ["key = %(key)s"] if self.key else []
        parts += ["event_type = %(event_type)s"] if self.event_type else []
        return " and ".join(parts)

    @property
    def values(self) -> dict[str, Any]:
        return {"from_at": self.from_at, "to_at": self.to_at, "key": self.key, "event_type": self.event_type}


@dataclass(frozen=True, slots=True)
class Selection:
    """Exactly these events: what the filter gave up to highest_position, how many, and a digest of all of them."""

    filter: EventFilter
    first_position: int
    highest_position: int
    count: int
    digest: str

    def as_content(self) -> dict[str, Any]:
        """As a request for approval keeps it."""
        return {
            "from": self.filter.from_at.astimezone(UTC).isoformat(),
            "to": self.filter.to_at.astimezone(UTC).isoformat(),
            "account": self.filter.key,
            "event_type": self.filter.event_type,
            "first_position": self.first_position,
            "highest_position": self.highest_position,
            "count": self.count,
            "digest": self.digest,
        }

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Selection:
        chosen = EventFilter(
            datetime.fromisoformat(content["from"]),
            datetime.fromisoformat(content["to"]),
            content["account"],
            content["event_type"],
        )
        return cls(chosen, content["first_position"], content["highest_position"], content["count"], content["digest"])


@dataclass(frozen=True, slots=True)
class Preview:
    """What a choice holds. Above SELECTION_LIMIT events `selection` is None and `estimate` is PostgreSQL's guess."""

    chosen: EventFilter
    selection: Selection | None
    estimate: int
    keys: int
    waiting: int
    first: tuple[int, ...]
    last: tuple[int, ...]
    # Events up to this moment may have been deleted because they were old; None when none was.
    retired_until: datetime | None

    @property
    def begins_among_retired(self) -> bool:
        """Whether the range reaches back to where events are not kept any more."""
        return self.retired_until is not None and self.chosen.from_at <= self.retired_until

    @property
    def count(self) -> int:
        return self.estimate if self.selection is None else self.selection.count


def preview(chosen: EventFilter, *, up_to: int | None = None, limit: int = SELECTION_LIMIT) -> Preview:
    """Counts the choice, up to the position `up_to` if one is given. Reads at most `limit` events and one more.

    Raises ReadTookTooLong after four seconds.
    """
    highest = "" if up_to is None else " and position <= %(up_to)s"
    values = chosen.values | {"limit": limit + 1, "up_to": up_to, "shown": SHOWN}
    with limited_reading(milliseconds=READ_MS), connection.cursor() as cursor:
        # Without an order inside, so that PostgreSQL reads the range of time and not every event before it.
        cursor.execute(
            f"""
            with selected as materialized (
                select position, key, event_id from outbox_event where {chosen.condition}{highest} limit %(limit)s
            )
            select count(*), count(distinct key), coalesce(min(position), 0), coalesce(max(position), 0),
                encode(sha256(coalesce(
                    string_agg(int8send(position) || uuid_send(event_id), ''::bytea order by position), '')), 'hex'),
                (select count(*) from selected join outbox_delivery using (position)),
                array(select position from selected order by position limit %(shown)s),
                array(select position from selected order by position desc limit %(shown)s)
            from selected
            """,  # noqa: S608 -- the condition is made of constants
            values,
        )
        count, keys, first_position, highest_position, digest, waiting, first, last = cursor.fetchone()
        is_whole = count <= limit
        selection = Selection(chosen, first_position, highest_position, count, digest) if is_whole else None
        return Preview(
            chosen=chosen,
            selection=selection,
            estimate=count if is_whole else max(count, _estimated(cursor, chosen)),
            keys=keys,
            waiting=waiting,
            first=tuple(first),
            last=tuple(sorted(last)),
            retired_until=_retired_until(cursor),
        )


def select(chosen: EventFilter, *, up_to: int | None = None) -> Selection:
    """The choice, frozen. Raises SelectionTooLarge, ReadTookTooLong."""
    found = preview(chosen, up_to=up_to)
    if found.selection is None:
        raise SelectionTooLarge(
            f"The choice holds about {found.estimate:,} events, and one replay at most {SELECTION_LIMIT:,}."
        )
    return found.selection


def same_again(selection: Selection) -> Selection:
    """What the frozen filter gives now: equal, unless events were committed late, archived or altered."""
    return select(selection.filter, up_to=selection.highest_position)


def _estimated(cursor: Any, chosen: EventFilter) -> int:
    cursor.execute(
        f"explain (format json) select from outbox_event where {chosen.condition}",
        chosen.values,
    )
    return int(cursor.fetchone()[0][0]["Plan"]["Plan Rows"])


def _retired_until(cursor: Any) -> datetime | None:
    cursor.execute("select max(last_recorded_at) from audit_retirement where source = 'outbox_event'")
    until: datetime | None = cursor.fetchone()[0]
    return until
