"""Figures by the hour for the last day. An hour that is over changes no more, so it is read once and then kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.cache import cache

from console.querysets import HourFigure, figures_between

HOUR = timedelta(hours=1)
HOURS_SHOWN = 24
# A batch carries the time at which it began, and commits seconds later.
SETTLED_AFTER = timedelta(minutes=10)
KEPT_SECONDS = 26 * 3600


def hours_until(at: datetime, zone: ZoneInfo, *, since: datetime | None = None) -> list[datetime]:
    """The beginnings of the zone's hours up to the present one: the last 24, and as far back as `since`."""
    began_at = at.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(at.tzinfo)
    first_at = began_at - (HOURS_SHOWN - 1) * HOUR
    while since is not None and first_at > since:
        first_at -= HOUR
    return [first_at + place * HOUR for place in range((began_at - first_at) // HOUR + 1)]


def figures_by_hour(name: str, statement: str, hours: Sequence[datetime], *, at: datetime) -> list[HourFigure]:
    """The statement's figures for these hours: one query from the first hour that is not kept yet."""
    keys = {hour: f"console.{name}.{int(hour.timestamp())}" for hour in hours}
    kept = cache.get_many(list(keys.values()))
    missing = [hour for hour in hours if keys[hour] not in kept]
    if not missing:
        return [figure for hour in hours for figure in kept[keys[hour]]]
    read: dict[datetime, list[HourFigure]] = {hour: [] for hour in hours if hour >= missing[0]}
    for figure in figures_between(statement, missing[0], hours[-1] + HOUR):
        read[figure.hour_at].append(figure)
    settled = {keys[hour]: found for hour, found in read.items() if hour + HOUR + SETTLED_AFTER <= at}
    cache.set_many(settled, KEPT_SECONDS)
    return [figure for hour in hours for figure in (read[hour] if hour in read else kept[keys[hour]])]
