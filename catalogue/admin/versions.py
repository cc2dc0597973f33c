"""The page between a form and a new version: what is today, what will be, and the button that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from catalogue.previews import PricePreview
from kernel.adminsite import money

TEMPLATE = "catalogue/admin/version_preview.html"
SEEN = "seen"
NOT_SENT_ON = ("csrfmiddlewaretoken", SEEN)
CURRENCY = "CAD"
NOTHING_YET = "Nothing has been changed yet."


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the preview shows: a sentence on what will happen, and rows of label, before, after, difference."""

    effect: str
    rows: Sequence[tuple[str, SafeString | str, SafeString | str, SafeString | str]]
    note: str = ""


def was_seen(request: HttpRequest, answers: Mapping[str, Any]) -> bool:
    """True when the person has seen the preview of exactly these answers."""
    return request.POST.get(SEEN) == _fingerprint(answers)


def preview_page(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    record: Model,
    answers: Mapping[str, Any],
    comparison: Comparison,
) -> HttpResponse:
    """Shows the comparison, and sends the same answers again when it is confirmed. Nothing has happened yet."""
    sent = [(name, value) for name, values in request.POST.lists() if name not in NOT_SENT_ON for value in values]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Look before it is done",
        "model_admin": model_admin,
        "model_opts": model_admin.opts,
        "record": record,
        "comparison": comparison,
        "hidden": [*sent, (SEEN, _fingerprint(answers))],
    }
    return TemplateResponse(request, TEMPLATE, context).render()


def rows_of(preview: PricePreview) -> list[tuple[str, SafeString | str, SafeString | str, SafeString | str]]:
    """Each amount before and after, with its difference; what is zero on both sides is left out."""
    return [
        (change.label, money(change.before, CURRENCY), money(change.after, CURRENCY), _difference(change.difference))
        for change in preview.amounts
        if change.before or change.after or change is preview.total
    ]


def _difference(amount: Decimal) -> SafeString | str:
    if not amount:
        return "the same"
    return f"{amount:+,.2f}"


def _fingerprint(answers: Mapping[str, Any]) -> str:
    return sha256(repr(sorted((name, str(value)) for name, value in answers.items())).encode()).hexdigest()
