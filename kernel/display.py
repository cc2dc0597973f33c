"""Values as people read them on a page: moments with their zone, a state in words and a sign, JSON, progress."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import format_html
from django.utils.safestring import SafeString

NOTHING = "–"
# How a state is marked beside its word, so that it can be told without seeing colours.
SIGNS = {"good": "✓", "waiting": "•", "attention": "!", "bad": "✕", "plain": ""}


def moment(at: datetime | None) -> SafeString | str:
    """An instant in the ledger's zone, with the zone's short name; UTC in its title."""
    if at is None:
        return NOTHING
    local = at.astimezone(settings.LEDGER_ZONE)
    return format_html(
        '<time class="ps-moment" datetime="{}" title="{} UTC">{} <span class="ps-zone">{}</span></time>',
        at.isoformat(),
        at.astimezone(UTC).isoformat(sep=" ", timespec="seconds")[:19],
        f"{local:%Y-%m-%d %H:%M:%S}",
        f"{local:%Z}",
    )


def money(amount: Decimal | None, currency: str) -> SafeString | str:
    """1,234.50 CAD in digits of one width, to the right of its cell."""
    if amount is None:
        return NOTHING
    return format_html('<span class="ps-amount">{} <span class="ps-zone">{}</span></span>', f"{amount:,.2f}", currency)


def count(number: int | None) -> SafeString | str:
    """1,204 in digits of one width, to the right of its cell."""
    return NOTHING if number is None else format_html('<span class="ps-amount">{}</span>', f"{number:,}")


def badge(text: str, kind: str) -> SafeString:
    """A state: its word and a sign. kind is one of SIGNS."""
    return format_html('<span class="ps-badge ps-{}"><b aria-hidden="true">{}</b>{}</span>', kind, SIGNS[kind], text)


def length(elapsed: timedelta | None) -> str:
    """3.2 s, 4 min 10 s, 2 h 5 min."""
    if elapsed is None:
        return NOTHING
    seconds = elapsed.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def pretty_json(value: Any) -> SafeString | str:
    """JSON indented and escaped; a dash for nothing."""
    if value is None:
        return NOTHING
    text = json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return format_html('<pre class="whitespace-pre-wrap break-words font-mono text-xs">{}</pre>', text)


def progress_bar(done: int, total: int | None) -> SafeString | str:
    """A bar with its figures beside it; only the figure when the total is not known."""
    if not total:
        return f"{done:,}" if done else NOTHING
    percent = min(100, done * 100 // total)
    return format_html(
        '<div class="flex items-center gap-2"><div role="progressbar" aria-valuenow="{}" aria-valuemin="0"'
        ' aria-valuemax="100" aria-label="Progress" class="bg-base-200 dark:bg-base-700 h-1.5 w-24 rounded-default">'
        '<div class="bg-primary-600 h-1.5 rounded-default" style="width: {}%"></div></div>'
        '<span class="tabular-nums whitespace-nowrap">{} of {}</span></div>',
        percent,
        percent,
        f"{done:,}",
        f"{total:,}",
    )
