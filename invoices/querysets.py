"""Reads and locks over invoices and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.db.models import F

from invoices.states import (
    UNDER_WAY_REFUNDS,
    UNFINISHED_CALLS,
    AttemptStatus,
    CallKind,
    CallStatus,
    ReferenceStatus,
    RefundStatus,
)

if TYPE_CHECKING:
    from invoices.models import (  # noqa: F401
        CardAttempt,
        Credit,
        Invoice,
        InvoiceLine,
        InvoiceReference,
        OutsideCall,
        Receipt,
        Refund,
    )


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def lock(self, pks: Iterable[int]) -> list[Invoice]:
        """The invoices of these ids with their accounts and products, locked in order of their ids."""
        rows = self.filter(pk__in=list(pks)).select_related("account", "product", "ledger_identity")
        return list(rows.order_by("pk").select_for_update(of=("self",), no_key=True))

    def of_accounts(self, accounts: Iterable[int]) -> Self:
        return self.filter(account_id__in=list(accounts))

    def stuck_approved(self, *, before: datetime) -> models.QuerySet[Any, dict[str, Any]]:
        """Ids, methods and times of making of invoices that are still APPROVED; read from the index alone."""
        rows = self.filter(status="APPROVED", created_at__lt=before).order_by("created_at")
        return rows.values("id", "payment_method", "created_at")

    def past_due(self, at: datetime) -> Self:
        """Bank transfers that are past their overdue date and not marked yet."""
        return self.filter(payment_method="EFT", status__in=["APPROVED", "PARTIAL_PAID"], overdue_date__lte=at)


class InvoiceLineQuerySet(models.QuerySet["InvoiceLine"]):
    def lock(self, invoice_id: int) -> list[InvoiceLine]:
        """The lines of one invoice, locked in order of their ids."""
        return list(self.filter(invoice_id=invoice_id).order_by("pk").select_for_update(of=("self",), no_key=True))


class InvoiceReferenceQuerySet(models.QuerySet["InvoiceReference"]):
    def active(self) -> Self:
        return self.filter(status=ReferenceStatus.ACTIVE)

    def lock(self, pks: Iterable[int]) -> list[InvoiceReference]:
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",), no_key=True))


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def live(self) -> Self:
        """Allocations that were not taken back."""
        return self.filter(reverses__isnull=True, reversed_by__isnull=True)


class CreditQuerySet(models.QuerySet["Credit"]):
    def with_money_left(self) -> Self:
        return self.filter(applied_amount__lt=F("amount"))

    def lock_with_money_left(self, account_id: int, *, method: str) -> list[Credit]:
        """What can still be applied of one account and method, the oldest first, locked."""
        rows = self.with_money_left().filter(account_id=account_id, payment_method=method)
        return list(rows.order_by("pk").select_for_update(of=("self",), no_key=True))


class RefundQuerySet(models.QuerySet["Refund"]):
    def lock(self, pks: Iterable[int]) -> list[Refund]:
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",), no_key=True))

    def under_way(self) -> Self:
        return self.filter(status__in=sorted(UNDER_WAY_REFUNDS))

    def processing(self) -> Self:
        return self.filter(status=RefundStatus.PROCESSING)


class CardAttemptQuerySet(models.QuerySet["CardAttempt"]):
    def lock(self, pks: Iterable[UUID]) -> list[CardAttempt]:
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",), no_key=True))

    def open(self) -> Self:
        return self.filter(status=AttemptStatus.CREATED)


class OutsideCallQuerySet(models.QuerySet["OutsideCall"]):
    def lock(self, pks: Iterable[UUID]) -> list[OutsideCall]:
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",), no_key=True))

    def due(self, at: datetime) -> Self:
        """Calls that somebody must make, or make again."""
        return self.filter(status__in=sorted(UNFINISHED_CALLS), next_attempt_at__lte=at)

    def awaiting_money_back(self, at: datetime) -> Self:
        """Refunds that the card gateway accepted and has not paid back, and about which it may be asked again."""
        return self.filter(
            kind=CallKind.CARD_REFUND,
            status=CallStatus.SUCCEEDED,
            refund__status=RefundStatus.PROCESSING,
            next_attempt_at__lte=at,
        )

    def awaiting_booking(self, at: datetime, *, since: datetime) -> Self:
        """Card refunds told after `since` that are paid back, of which the gateway has not said whether it booked them,
        and about which it may be asked again."""
        return self.filter(
            kind=CallKind.CARD_REFUND,
            status=CallStatus.SUCCEEDED,
            refund__status=RefundStatus.PROCESSED,
            refund__gl_posted_at__isnull=True,
            refund__gl_error="",
            created_at__gt=since,
            next_attempt_at__lte=at,
        )
