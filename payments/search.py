"""Finds payments: by reference through the gate of exactly-once, by anything else through the partitions' indexes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kernel.errors import Refused
from kernel.reading import ReadTookTooLong
from payments.models import PartitionArchive, Payment, PaymentReference, PreviousReference, ReferenceHistory
from payments.partitioning import month_of
from payments.querysets import PaymentQuerySet

# How many months each look goes further back; what is older still comes with the last look.
LOOKS_BACK = (1, 2, 4, 8, 16, 32)


class PaymentArchived(Refused):
    """The payment was recorded, and its month is archived: it is not in the database any more."""

    status = 410
    code = "payment-archived"
    title = "Payment archived"
    next_step = "Ask the operators to restore the archive that `month` and `archive` name, and to look the payment up."


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

    @property
    def has_index(self) -> bool:
        """Whether an index leads to the payments. Otherwise the months themselves have to be read."""
        return any(key is not None for key in (self.reference, self.loan_account, self.cif))


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


def newest_by_months(found: PaymentQuerySet, *, count: int, at: datetime, seconds: float) -> list[Any]:
    """The newest payments of a search that no index serves, `count` at the most.

    Sorting them all would read every partition; the months are read from `at` backwards, each look at twice as many,
    until there are enough. Raises ReadTookTooLong when there are not enough after so many seconds.
    """
    deadline = time.monotonic() + seconds
    newest: list[Any] = []
    for first, end in _spans_backwards(at):
        span = found.paid_between(first, end).order_by("-payment_date", "-id")
        newest += span[: count - len(newest)]
        if len(newest) == count:
            break
        if time.monotonic() > deadline:
            raise ReadTookTooLong(f"The search was ended after {seconds:g} s.")
    return newest


def payment_with_id(
    payment_id: UUID, *, paid_from: datetime | None = None, paid_before: datetime | None = None
) -> PaymentQuerySet:
    """The payment of this id, or none. With its date one partition is probed, without it every partition's key."""
    found: PaymentQuerySet = Payment.objects.filter(id=payment_id).paid_between(paid_from, paid_before)
    return found


def find_archive(*, reference: str | None = None, payment_id: UUID | None = None) -> PartitionArchive | None:
    """The archive that holds the payment of this reference or id; None when it is not in an archive, or unknown."""
    key = {"pk": reference} if payment_id is None else {"payment_id": payment_id}
    pruned = ReferenceHistory.objects.filter(**key).first()
    # A payment whose reference was never pruned cannot be archived.
    if pruned is None or payment_with_id(pruned.payment_id).filter(payment_date=pruned.payment_date).exists():
        return None
    parts = PartitionArchive.objects.of_month(month_of(pruned.payment_date))
    # A part holds what was recorded before it was taken out, and after the part before it.
    holding: PartitionArchive | None = parts.filter(detached_at__gte=pruned.created_at).first()
    return holding


def refuse_archived(*, reference: str | None = None, payment_id: UUID | None = None) -> None:
    """Raises PaymentArchived when the payment of this reference or id lies in an archive."""
    archive = find_archive(reference=reference, payment_id=payment_id)
    if archive is not None:
        raise PaymentArchived(
            f"The payment was recorded, and its month {archive.month:%Y-%m} is archived.",
            month=f"{archive.month:%Y-%m}",
            archive=archive.file_path.name,
            part=archive.part,
        )


def _spans_backwards(at: datetime) -> Iterator[tuple[datetime | None, datetime | None]]:
    """From this month and the future backwards; None leaves a side open."""
    month, end = month_of(at), None
    for months in LOOKS_BACK:
        first = month.bounds().start_at
        yield first, end
        month, end = month.plus(-months), first
    yield None, end


def _at_reference(payments: PaymentQuerySet, reference: str) -> PaymentQuerySet:
    """Few probes: of the generations of references, then of one partition."""
    # In the order in which a reference moves on, so that one which moves meanwhile is not missed.
    for generation in (PaymentReference, PreviousReference, ReferenceHistory):
        claimed = generation._default_manager.filter(pk=reference).values_list("payment_id", "payment_date").first()
        if claimed is not None:
            payment_id, payment_date = claimed
            return payments.filter(id=payment_id, payment_date=payment_date)
    return payments.at_reference(reference)
