"""Addresses of lists and record pages, and links to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString


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
