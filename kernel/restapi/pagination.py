"""Keyset pages, newest first: each costs the same however far back it lies, and nothing is counted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import FieldError, Refused

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200
LONGEST_CURSOR = 300


class CursorInvalid(Refused):
    """The cursor is not one that this list gave."""

    code = "cursor-invalid"
    title = "Cursor invalid"
    next_step = "Send the value of next from the page before, unchanged, or leave cursor away to begin again."

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("cursor", "invalid", "Not a cursor of this list."),))


class LimitInvalid(Refused):
    """The limit is not a usable number of items."""

    code = "limit-invalid"
    title = "Limit invalid"

    def __init__(self) -> None:
        message = f"limit should be a whole number from 1 to {LARGEST_LIMIT}."
        super().__init__(message, errors=(FieldError("limit", "invalid", message),))


class CursorPagination(BasePagination):
    """Pages of {items, next} over (instant, id), both falling. `next` is the cursor of the following page, or null.

    The view may say `cursor_field`, the instant's name (created_at unless told); the id is the model's primary key.
    """

    instant_field = "created_at"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.instant = getattr(view, "cursor_field", self.instant_field)
        self.limit = _limit_of(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        if cursor:
            at, key = _read_cursor(cursor, queryset.model)
            # Said this way, and not as a comparison of rows, the bound on the instant also prunes partitions.
            before = Q(**{f"{self.instant}__lt": at}) | Q(pk__lt=key)
            queryset = queryset.filter(before, **{f"{self.instant}__lte": at})
        found = self.newest(queryset, self.limit + 1)
        page = found[: self.limit]
        self.next_cursor = self._cursor_of(page[-1]) if len(found) > self.limit else None
        return page

    def newest(self, queryset: QuerySet[Any], count: int) -> list[Any]:
        """The first rows, newest first, `count` at the most. A subclass may know a cheaper way to them."""
        return list(queryset.order_by(f"-{self.instant}", "-pk")[:count])

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        return Response({"items": data, "next": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": schema["items"]} if "items" in schema else schema,
                "next": {
                    "type": "string",
                    "nullable": True,
                    "description": "The cursor of the following page; null on the last one.",
                    "example": "WyIyMDI2LTExLTA1VDEyOjAwOjAwWiIsNDJd",
                },
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "The value of next from the page before.",
                "schema": {"type": "string", "maxLength": LONGEST_CURSOR},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "How many items a page holds at most.",
                "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT},
            },
        ]

    def _cursor_of(self, item: Any) -> str:
        at = item[self.instant] if isinstance(item, dict) else getattr(item, self.instant)
        key = item["id"] if isinstance(item, dict) else item.pk
        text = orjson.dumps([at.astimezone(UTC).isoformat(), key if isinstance(key, int) else str(key)])
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _limit_of(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LARGEST_LIMIT):
        raise LimitInvalid
    return int(text)


def _read_cursor(cursor: str, model: type[Model]) -> tuple[datetime, Any]:
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise CursorInvalid
        padded = cursor + "=" * (-len(cursor) % 4)
        instant, key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        at = datetime.fromisoformat(instant)
        if at.tzinfo is None or not isinstance(key, int | str) or isinstance(key, bool):
            raise CursorInvalid
        return at, model._meta.pk.to_python(key)
    except (binascii.Error, ValueError, TypeError, ValidationError):
        raise CursorInvalid from None
