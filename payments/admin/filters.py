"""Filters that ask no large table for its values."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from payments.models import Channel, Payment
from payments.states import ReviewStatus

RECENT_PAYMENTS = 500


class ChannelFilter(SimpleListFilter):
    """Channels that are set up, and those of the payments recorded last: never a DISTINCT over the table."""

    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        recent = Payment.objects.order_by("-id").values_list("payment_channel", flat=True)[:RECENT_PAYMENTS]
        names = {name for name in recent if name} | set(Channel.objects.values_list("slug", flat=True))
        asked = request.GET.get(self.parameter_name)
        names |= {asked} if asked else set()
        return [(name, name) for name in sorted(names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(payment_channel=self.value()) if self.value() else queryset


class ChannelSlugFilter(SimpleListFilter):
    """For webhook requests: the channels that are set up."""

    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(slug, name) for slug, name in Channel.objects.order_by("name").values_list("slug", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(channel_slug=self.value()) if self.value() else queryset


class ReviewStatusFilter(SimpleListFilter):
    """Open ones unless something else is chosen: the list is a queue first, and an archive on request."""

    title = "status"
    parameter_name = "status"
    ALL = "all"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [
            (ReviewStatus.RECORDED, "Recorded after correction"),
            (ReviewStatus.DISMISSED, "Dismissed"),
            (self.ALL, "All"),
        ]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return iter([{**first, "display": "Open"}, *others])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset if chosen == self.ALL else queryset.filter(status=chosen or ReviewStatus.OPEN)
