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
    zones = {settings.LEDGER_ZONE, settings.STAGING_ZONE}
    now = datetime.now(UTC)
    moments = [now + timedelta(days=days) for days in PROBE_DAYS]
    return [
        Warning(
            f"PostgreSQL and this program disagree about {zone.key} on {moment:%Y-%m-%d}.",
            hint="Update the time zone data of the PostgreSQL server, or of the lock if the server's is the newer one.",
            id="kernel.W001",
        )
        for alias in databases or ()
        for zone in sorted(zones, key=lambda zone: zone.key)
        for moment in moments
        if _in_postgresql(alias, zone, moment) != moment.astimezone(zone).replace(tzinfo=None)
    ]


def _in_postgresql(alias: str, zone: ZoneInfo, moment: datetime) -> datetime:
    with connections[alias].cursor() as cursor:
        cursor.execute("select %s::timestamptz at time zone %s::text", [moment, zone.key])
        local: datetime = cursor.fetchone()[0]
        return local
