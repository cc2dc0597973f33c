"""Reads of what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, OuterRef, Subquery

if TYPE_CHECKING:
    from kernel.measurements.models import AlertState, Measurement  # noqa: F401 -- the base classes below name them


class MeasurementQuerySet(models.QuerySet["Measurement"]):
    def samples(self) -> Self:
        return self.filter(is_summary=False)

    def summaries(self) -> Self:
        return self.filter(is_summary=True)

    def between(self, start_at: datetime, end_at: datetime) -> Self:
        """Those that ended in (start, end], the earliest first."""
        return self.filter(at__gt=start_at, at__lte=end_at).order_by("at", "source")

    def finest(self, start_at: datetime, end_at: datetime) -> Self:
        """Everything measured in (start, end], each moment once: summaries, and samples not yet summed up."""
        summed_until = (
            self.model._default_manager.filter(is_summary=True, source=OuterRef("source"))
            .order_by("-at")
            .values("at")[:1]
        )
        found = self.between(start_at, end_at).annotate(summed_until=Subquery(summed_until))
        not_summed = models.Q(summed_until__isnull=True) | models.Q(at__gt=F("summed_until"))
        return found.filter(models.Q(is_summary=True) | not_summed)


class AlertStateQuerySet(models.QuerySet["AlertState"]):
    def firing(self) -> Self:
        return self.filter(firing_since__isnull=False)

    def lock_all(self) -> list[AlertState]:
        """Every alert whose condition holds, locked in order of their keys until the unit of work ends."""
        return list(self.order_by("pk").select_for_update(of=("self",)))

    def without(self, pks: Iterable[int]) -> Self:
        return self.exclude(pk__in=list(pks))
