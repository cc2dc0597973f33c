"""Reads and locks over what is charged and where it is booked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    # Named in the base classes below.
    from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate  # noqa: F401

Row = TypeVar("Row", bound=models.Model, covariant=True)


class CatalogueQuerySet(models.QuerySet[Row]):
    def lock(self, pks: Iterable[Any]) -> list[Row]:
        """The rows of these keys in the order of the keys, locked until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))


class DatedQuerySet(CatalogueQuerySet[Row]):
    """Rows that hold from `starts_on` to `ends_on`, both days included; without an end, until further notice."""

    def on(self, day: date) -> Self:
        """In force on the day."""
        return self.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=day), starts_on__lte=day)

    def after(self, day: date) -> Self:
        """Not yet begun on the day, the next first."""
        return self.filter(starts_on__gt=day).order_by("starts_on")

    def meeting(self, starts_on: date, ends_on: date | None) -> Self:
        """In force on at least one of the days from `starts_on` to `ends_on`, the earliest first."""
        until = self if ends_on is None else self.filter(starts_on__lte=ends_on)
        return until.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on)).order_by("starts_on")


class ProductQuerySet(CatalogueQuerySet["Product"]):
    pass


class FilingTypeQuerySet(CatalogueQuerySet["FilingType"]):
    pass


class FeeCodeQuerySet(CatalogueQuerySet["FeeCode"]):
    pass


class GLCodeQuerySet(DatedQuerySet["GLCode"]):
    def with_linked(self) -> Self:
        """With the codes that its service fee, its partner's share and its taxes are booked to, in one query."""
        return self.select_related("service_fee_gl", "disbursement_gl", "statutory_gst_gl", "service_gst_gl")


class FeeScheduleQuerySet(DatedQuerySet["FeeSchedule"]):
    def with_fees(self) -> Self:
        """With its filing type and the amounts of its four fees, in one query."""
        return self.select_related(
            "filing_type", "fee_code", "priority_fee_code", "future_effective_fee_code", "service_fee_code"
        )

    def of(self, product_code: str, filing_types: Collection[str]) -> Self:
        """For these filing types of the product."""
        return self.filter(product_id=product_code, filing_type_id__in=list(filing_types))


class GLLinkQuerySet(DatedQuerySet["GLLink"]):
    pass


class TaxRateQuerySet(DatedQuerySet["TaxRate"]):
    pass
