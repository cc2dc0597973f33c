"""Pages of payments: by an index where one leads to them, by months where none does."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from kernel.restapi import CursorPagination
from payments.search import newest_by_months


class IndexedPages(CursorPagination):
    """For searches by reference, account or CIF."""

    instant_field = "payment_date"


class MonthlyPages(IndexedPages):
    """For searches that no index serves."""

    def newest(self, queryset: QuerySet[Any], count: int) -> list[Any]:
        seconds = settings.READ_TIMEOUT_MS / 1000
        return newest_by_months(queryset, count=count, at=timezone.now(), seconds=seconds)  # type: ignore[arg-type]
