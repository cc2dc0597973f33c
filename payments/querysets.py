"""What is read of payments, and how, without counting a large table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from django.db import models

from kernel.periods import Month
from payments.states import UNFINISHED_ARCHIVES


class PaymentQuerySet(models.QuerySet[Any]):
    def at_reference(self, reference_number: str) -> Self:
        return self.filter(reference_number=reference_number)

    def of_account(self, loan_account_number: str) -> Self:
        return self.filter(loan_account_number=loan_account_number)

    def of_cif(self, cif: str) -> Self:
        return self.filter(cif=cif)

    def paid_between(self, start: datetime | None, end: datetime | None) -> Self:
        """payment_date in [start, end); None leaves that side open."""
        paid = self
        if start is not None:
            paid = paid.filter(payment_date__gte=start)
        if end is not None:
            paid = paid.filter(payment_date__lt=end)
        return paid


class StagingProcessLogQuerySet(models.QuerySet[Any]):
    def since(self, start: datetime) -> Self:
        return self.filter(started_at__gte=start)


class ReviewQuerySet(models.QuerySet[Any]):
    def lock(self, pks: list[int]) -> list[Any]:
        """The rows of these keys, locked in the order of their keys. Needs a unit of work."""
        return list(self.filter(pk__in=pks).order_by("pk").select_for_update(of=("self",)))

    def open(self) -> Self:
        return self.filter(status="open")


class ChannelQuerySet(models.QuerySet[Any]):
    def lock(self, pks: Iterable[int]) -> list[Any]:
        """The rows of these keys, locked in the order of their keys. Needs a unit of work."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))


class WebhookReceiptQuerySet(models.QuerySet[Any]):
    def since(self, start: datetime) -> Self:
        return self.filter(received_at__gte=start)


class PartitionArchiveQuerySet(models.QuerySet[Any]):
    def lock(self, pks: Iterable[int]) -> list[Any]:
        """The rows of these keys, locked in the order of their keys. Needs a unit of work."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def of_month(self, month: Month) -> Self:
        return self.filter(month=month.first_on).order_by("part")

    def unfinished(self) -> Self:
        """Those that a run goes on with, the oldest month first."""
        return self.filter(status__in=sorted(UNFINISHED_ARCHIVES)).order_by("month", "part")
