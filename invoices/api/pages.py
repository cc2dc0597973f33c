"""Pages of lists, read with a limit on their time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.reading import limited_reading
from kernel.restapi import CursorPagination


class ByCreation(CursorPagination):
    """Of invoices, credits and accounts."""


class ByRequest(CursorPagination):
    """Of refunds."""

    instant_field = "requested_at"


def page_of(
    pages: CursorPagination,
    rows: QuerySet[Any],
    request: Request,
    view: Any,
    answer: Callable[[Any], dict[str, Any]],
) -> Response:
    """One page of the rows, each as `answer` has it. Raises ReadTookTooLong, CursorInvalid and LimitInvalid."""
    with limited_reading(milliseconds=settings.READ_TIMEOUT_MS):
        page = pages.paginate_queryset(rows, request, view=view) or []
        return pages.get_paginated_response([answer(row) for row in page])
