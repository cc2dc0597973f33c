"""Finds payments: by reference through the gate of exactly-once, by anything else through the partitions' indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments.models import Payment, PaymentReference
from payments.querysets import PaymentQuerySet


@dataclass(frozen=True, slots=True)
class PaymentSearch:
    """What is looked for; None asks nothing. paid_from belongs to the range, paid_to does not."""

    reference: str | None = None
    loan_account: str | None = None
    cif: str | None = None
    channel: str | None = None
    source: str | None = None
    paid_from: datetime | None = None
    paid_to: datetime | None = None


def found_by(search: PaymentSearch) -> PaymentQuerySet:
    """The payments that meet every condition, in no order. One small query runs at once when a reference is given."""
    found: PaymentQuerySet = Payment.objects.paid_between(search.paid_from, search.paid_to)
    if search.reference is not None:
        found = _at_reference(found, search.reference)
    if search.loan_account is not None:
        found = found.of_account(search.loan_account)
    if search.cif is not None:
        found = found.of_cif(search.cif)
    if search.channel is not None:
        found = found.filter(payment_channel=search.channel)
    if search.source is not None:
        found = found.filter(source=search.source)
    return found


def payment_with_id(
    payment_id: UUID, *, paid_from: datetime | None = None, paid_before: datetime | None = None
) -> PaymentQuerySet:
    """The payment of this id, or none. With its date one partition is probed, without it every partition's key."""
    found: PaymentQuerySet = Payment.objects.filter(id=payment_id).paid_between(paid_from, paid_before)
    return found


def _at_reference(payments: PaymentQuerySet, reference: str) -> PaymentQuerySet:
    """Two probes, of the gate and of one partition. A reference that was pruned is in every partition's index."""
    claimed = PaymentReference.objects.filter(pk=reference).values_list("payment_id", "payment_date").first()
    if claimed is None:
        return payments.at_reference(reference)
    payment_id, payment_date = claimed
    return payments.filter(id=payment_id, payment_date=payment_date)
