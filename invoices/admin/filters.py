"""Filters of the lists of invoices and refunds. None of them reads a large table for its choices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import CheckboxFilter, DropdownFilter, RadioFilter, TextFilter
from unfold.contrib.filters.forms import RangeDateForm

from accounts.models import PaymentAccount
from catalogue.models import Product
from invoices.admin.display import (
    ATTEMPT_STATUSES,
    CALL_KINDS,
    CALL_STATUSES,
    OUTCOMES,
    REFUND_STATUSES,
    STATUSES,
)
from invoices.methods import all_methods
from invoices.models import CreditApplication
from invoices.states import OPEN_STATUSES, UNDER_WAY_REFUNDS, UNFINISHED_CALLS, AttemptStatus, MethodCode
from kernel.calendar import business_day_bounds

CREDIT = "CREDIT"
OPEN = "open"


class StatusFilter(CheckboxFilter):
    """One or several statuses; `open` stands for all in which money is still expected."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(OPEN, "Open: money is expected"), *((code, words) for code, (words, _) in STATUSES.items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = set(self.value() or ()) - {""}
        if not asked:
            return queryset
        codes = (asked - {OPEN}) | (set(OPEN_STATUSES) if OPEN in asked else set())
        return queryset.filter(status__in=sorted(codes))


class MethodFilter(CheckboxFilter):
    """One or several methods. NO_FEE is whatever costs nothing, CREDIT whatever a credit of the account has paid."""

    title = "method"
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [*((method.code, method.title) for method in all_methods()), (CREDIT, "Paid by a credit")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = set(self.value() or ()) - {""}
        if not asked:
            return queryset
        found = Q()
        codes = asked - {CREDIT, MethodCode.NO_FEE.value}
        if codes:
            found |= Q(payment_method__in=sorted(codes))
        if MethodCode.NO_FEE.value in asked:
            found |= Q(total=0)
        if CREDIT in asked:
            found |= Q(pk__in=CreditApplication.objects.values("invoice"))
        return queryset.filter(found)


class AccountFilter(TextFilter):
    """Of the account with exactly this number."""

    title = "account number"
    parameter_name = "account"
    # Where the account stands, seen from the list's rows.
    path = "account"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = (self.value() or "").strip()
        if not number:
            return queryset
        # Its id first, so that the index by account and time serves the list's order too.
        account = PaymentAccount.objects.filter(account_number=number).values_list("pk", flat=True).first()
        return queryset.none() if account is None else queryset.filter(**{f"{self.path}_id": account})


class RefundAccountFilter(AccountFilter):
    """The same for rows that belong to an invoice."""

    path = "invoice__account"


class ProductFilter(DropdownFilter):
    title = "product"
    parameter_name = "product"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        found = Product.objects.order_by("code").values_list("code", "description")
        return [(code, f"{code} {description}") for code, description in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(product_id=self.value()) if self.value() else queryset


class AgeFilter(RadioFilter):
    """By how long ago it was made: what lies longer needs a person sooner."""

    title = "age"
    parameter_name = "age"
    column = "created_at"
    DAYS = (3, 7, 20, 60)

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("new", "Under 3 days"), *((str(days), f"{days} days and more") for days in self.DAYS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value()
        if asked == "new":
            return queryset.filter(**{f"{self.column}__gt": timezone.now() - timedelta(days=self.DAYS[0])})
        if asked in {str(days) for days in self.DAYS}:
            return queryset.filter(**{f"{self.column}__lte": timezone.now() - timedelta(days=int(asked))})
        return queryset


class RefundAgeFilter(AgeFilter):
    column = "requested_at"


class CreatedFilter(SimpleListFilter):
    """From one day of the ledger to another, both included."""

    title = "created"
    parameter_name = "created"
    template = "unfold/filters/filters_date_range.html"
    column = "created_at"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.request = request
        for name in self.ends:
            value = params.pop(name, [""])
            self.used_parameters[name] = value[-1] if isinstance(value, list) else value

    def has_output(self) -> bool:
        return True

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> tuple[()]:
        return ()

    def expected_parameters(self) -> list[str | None]:
        return [*self.ends]

    @property
    def ends(self) -> tuple[str, str]:
        return f"{self.parameter_name}_from", f"{self.parameter_name}_to"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first, last = (_day(self.used_parameters.get(name, "")) for name in self.ends)
        if first is not None:
            queryset = queryset.filter(**{f"{self.column}__gte": business_day_bounds(first).start_at})
        if last is not None:
            queryset = queryset.filter(**{f"{self.column}__lt": business_day_bounds(last).end_at})
        return queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        filled = {name: self.used_parameters.get(name) for name in self.ends}
        yield {
            "request": self.request,
            "parameter_name": self.parameter_name,
            "form": RangeDateForm(name=self.parameter_name, data=filled),
        }


class RefundStatusFilter(RadioFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("under-way", "Under way"), *((code, words) for code, (words, _) in REFUND_STATUSES.items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "under-way":
            return queryset.filter(status__in=sorted(UNDER_WAY_REFUNDS))
        return queryset.filter(status=self.value()) if self.value() else queryset


class OutcomeFilter(RadioFilter):
    title = "what happens with the money"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(OUTCOMES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(outcome=self.value()) if self.value() else queryset


class LeftFilter(RadioFilter):
    """Credits of which something is left, or nothing any more."""

    title = "what is left"
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Something is left"), ("no", "Used up")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        credits: Any = queryset
        if self.value() == "yes":
            return credits.with_money_left()
        return credits.filter(applied_amount=F("amount")) if self.value() == "no" else queryset


class WaitingFilter(RadioFilter):
    """What is not known yet, unless something else is chosen: the list is a queue first and an archive on request."""

    title = "status"
    parameter_name = "status"
    ALL = "all"
    all_option = ("", "Not known yet")
    unknown: tuple[str, ...] = ()
    words: dict[str, tuple[str, str]] = {}

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(self.ALL, "All"), *((code, words) for code, (words, _) in self.words.items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == self.ALL:
            return queryset
        return queryset.filter(status__in=[self.value()] if self.value() else list(self.unknown))


class CallStatusFilter(WaitingFilter):
    unknown = tuple(sorted(UNFINISHED_CALLS))
    words = CALL_STATUSES


class AttemptStatusFilter(WaitingFilter):
    unknown = (AttemptStatus.CREATED,)
    words = ATTEMPT_STATUSES


class CallKindFilter(RadioFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(CALL_KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


def _day(text: str | None) -> date | None:
    """A day as yyyy-mm-dd; None for anything else."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
