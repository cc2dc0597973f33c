"""Checks that a start runs against the database it will use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import connections

# Far enough apart to meet both halves of a year, and a law that is already decided.
PROBE_DAYS = (0, 91, 182, 273, 364)


def zones_agree(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Warns where PostgreSQL's own zone rules differ from the pinned ones, for the zones that the settings name.

    Staged moments are read with PostgreSQL's rules, business dates with ours; where they differ, a payment near
    midnight could be counted on two days. Runs with `migrate` and `check --database default`.
    """
    now = datetime.now(UTC)
    moments = [now + timedelta(days=days) for days in PROBE_DAYS]
    found: list[CheckMessage] = []
    for alias in databases or ():
        for zone in sorted({settings.LEDGER_ZONE, settings.STAGING_ZONE}, key=lambda zone: zone.key):
            differing = [
                at for at in moments if _in_postgresql(alias, zone, at) != at.astimezone(zone).replace(tzinfo=None)
            ]
            if differing:
                found.append(
                    Warning(
                        f"PostgreSQL and this program disagree about {zone.key}, as on {differing[0]:%Y-%m-%d}.",
                        hint="Update the time zone data of whichever has the older rules: the server, or the lock.",
                        id="kernel.W001",
                    )
                )
    return found


def _in_postgresql(alias: str, zone: ZoneInfo, moment: datetime) -> datetime:
    with connections[alias].cursor() as cursor:
        cursor.execute("select %s::timestamptz at time zone %s::text", [moment, zone.key])
        local: datetime = cursor.fetchone()[0]
        return local
