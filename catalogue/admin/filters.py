"""Filters of the catalogue's lists."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalogue.models import Product
from kernel.calendar import business_date


class InForceFilter(SimpleListFilter):
    """What holds today, what is coming, and what is past."""

    title = "in force"
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("now", "In force"), ("coming", "Coming"), ("past", "Past")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today = business_date(timezone.now())
        if self.value() == "now":
            return queryset.on(today)  # type: ignore[attr-defined]
        if self.value() == "coming":
            return queryset.filter(starts_on__gt=today)
        return queryset.filter(ends_on__lt=today) if self.value() == "past" else queryset


class ProductFilter(SimpleListFilter):
    """By product, for lists that reach it in one way or another."""

    title = "product"
    parameter_name = "product"
    path = "product"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(product.code, str(product)) for product in Product.objects.order_by("code")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.path: self.value()}) if self.value() else queryset


class LinkProductFilter(ProductFilter):
    path = "fee_schedule__product"
