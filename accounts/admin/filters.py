"""Filters of the list of accounts."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.states import LockKind, Method, choices


class MethodFilter(SimpleListFilter):
    """By what the account pays with unless an invoice says otherwise."""

    title = "payment method"
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return choices(Method)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(payment_method=self.value()) if self.value() else queryset


class LockFilter(SimpleListFilter):
    """Locked now, for whatever reason or for one; or not locked."""

    title = "lock"
    parameter_name = "locked"
    NOW, NONE = "now", "no"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(self.NOW, "Locked now"), *choices(LockKind), (self.NONE, "Not locked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        accounts: Any = queryset
        if self.value() == self.NOW:
            return accounts.locked_now()
        if self.value() == self.NONE:
            return accounts.not_locked()
        return accounts.locked_now(self.value()) if self.value() else accounts


class OpenFilter(SimpleListFilter):
    """Open or closed."""

    title = "open or closed"
    parameter_name = "closed"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("no", "Open"), ("yes", "Closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("no", "yes"):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "no")
