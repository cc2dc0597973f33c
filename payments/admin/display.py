"""Values as finance staff read them, those of the kernel and the moments of the staging table."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from kernel.adminsite import list_address, list_link, record_address, record_link
from kernel.display import NOTHING, SIGNS, badge, count, length, moment, money

__all__ = [
    "NOTHING",
    "SIGNS",
    "badge",
    "count",
    "length",
    "list_address",
    "list_link",
    "moment",
    "money",
    "record_address",
    "record_link",
    "zoneless",
]


def zoneless(at: datetime | None) -> str:
    """A moment of the staging table, as the ETL wrote it, with the zone in which we read it."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M:%S} {settings.STAGING_ZONE.key}"
