"""JSON as our answers have it: a Decimal is a string, an instant is UTC with Z, nothing passes through a float."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer


class ExactJSONRenderer(BaseRenderer):
    """application/json with the rules of `answer_json`. Errors do not come here: they are problem+json."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else answer_json(data)


JSON_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


def answer_json(value: object) -> bytes:
    """The value as UTF-8 JSON. Raises TypeError for what has no exact form."""
    return orjson.dumps(value, default=_written, option=JSON_OPTIONS)


def _written(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, tuple | range):
        return list(value)
    raise TypeError(f"A value of the type {type(value).__name__} has no exact form in JSON.")
