"""Values as an operator reads them on a page."""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import format_html
from django.utils.safestring import SafeString


def pretty_json(value: Any) -> SafeString | str:
    """JSON indented and escaped; a dash for nothing."""
    if value is None:
        return "-"
    text = json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return format_html('<pre class="whitespace-pre-wrap break-words font-mono text-xs">{}</pre>', text)


def progress_bar(done: int, total: int | None) -> SafeString | str:
    """A bar with its figures beside it; only the figure when the total is not known."""
    if not total:
        return f"{done:,}" if done else "-"
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
