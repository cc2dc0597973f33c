"""Values as finance staff read them: moments with their zone, money to the right, a status in words and a sign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from kernel.display import NOTHING, SIGNS, badge, length, moment

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


def money(amount: Decimal | None, currency: str) -> SafeString | str:
    """1,234.50 CAD in digits of one width, to the right of its cell."""
    if amount is None:
        return NOTHING
    return format_html('<span class="ps-amount">{} <span class="ps-zone">{}</span></span>', f"{amount:,.2f}", currency)


def count(number: int | None) -> SafeString | str:
    return NOTHING if number is None else format_html('<span class="ps-amount">{}</span>', f"{number:,}")


def record_link(
    kind: type[models.Model], pk: Any, text: str, parameters: Mapping[str, Any] | None = None
) -> SafeString | str:
    """A link to the record's page; plain text when there is no key or no page for its kind."""
    if pk is None or not admin.site.is_registered(kind):
        return text
    query = f"?{urlencode(parameters)}" if parameters else ""
    return format_html('<a class="ps-link" href="{}{}">{}</a>', record_address(kind, pk), query, text)


def record_address(kind: type[models.Model], pk: Any) -> str:
    return reverse(f"admin:{kind._meta.app_label}_{kind._meta.model_name}_change", args=[pk])


def list_address(kind: type[models.Model], filters: Mapping[str, Any] | None = None) -> str:
    address = reverse(f"admin:{kind._meta.app_label}_{kind._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def list_link(kind: type[models.Model], text: str, filters: Mapping[str, Any]) -> SafeString | str:
    """A link to the list narrowed down; plain text when there is no list for this kind."""
    if not admin.site.is_registered(kind):
        return text
    return format_html('<a class="ps-link" href="{}">{}</a>', list_address(kind, filters), text)
