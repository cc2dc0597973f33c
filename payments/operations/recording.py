"""Records notices that a door has checked: webhooks, several at once, and manual entry and corrections as a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import DatabaseError, OperationalError, connection
from psycopg.errors import DeadlockDetected, LockNotAvailable

from kernel import exactjson
from kernel.errors import Conflict, Unavailable
from kernel.transactions import inside_unit_of_work, own_statements
from kernel.uuids import uuid7
from payments.notices import PaymentNotice
from payments.operations.receipts import refuse_reused_key
from payments.partitioning import ensure_known, is_archived_month, known_months, month_of
from payments.recorder import (
    notice_values,
    parameters,
    record_notices_sql,
    settle_notice_sql,
)
from payments.states import Outcome, PaymentSource

R = TypeVar("R")

ATTEMPTS = 3


class ReferenceInConflict(Conflict):
    """This reference number is already recorded with other content."""

    code = "reference-conflict"
    title = "Reference already recorded with other content"
    next_step = (
        "Compare `difference` with your records. If the first notice was right, stop sending this one; if both are "
        "payments, give the second its own reference number. The recorded payment stays as it is."
    )


class ReferenceUnsettled(Unavailable):
    """Whether this reference is new could not be decided, because others kept claiming and releasing it."""

    code = "reference-unsettled"


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a notice. payment_id and payment_date are those of the recorded payment, also for a duplicate."""

    outcome: Outcome
    payment_id: UUID
    payment_date: datetime
    difference: tuple[dict[str, Any], ...] = ()

    @property
    def is_new(self) -> bool:
        return self.outcome is Outcome.RECORDED


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """What the receipt of a webhook request keeps beside the payment. arrived is a time.perf_counter() in seconds."""

    channel_slug: str
    receipt_key: str
    body_digest: str
    arrived: float
    source_address: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a notice came from: the kind of source, and the batch or receipt and the staged row where there are any."""

    source: PaymentSource
    batch_id: UUID | None = None
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A notice on its way into the database, under the id that its payment will have if its reference is new."""

    notice: PaymentNotice
    origin: Origin
    at: datetime
    payment_id: UUID
    receipt: ReceiptFacts | None = None


def incoming_webhook(notice: PaymentNotice, *, receipt: ReceiptFacts, at: datetime) -> Incoming:
    """The notice of a webhook, whose receipt is written under an id that the payment names as what brought it."""
    return Incoming(notice, Origin(PaymentSource.WEBHOOK, uuid7(at)), at, uuid7(at), receipt)


class ClaimsCrossed(Exception):
    """Two shared statements waited for each other, or for a lock that took too long; each notice can be tried alone."""


@own_statements
def claim_notices(incoming: Sequence[Incoming]) -> list[bool]:
    """Records the notices of several webhooks in one statement and one commit; says of each whether it was new.

    All or nothing when the statement fails. A notice that was not new, or whose month has no partition yet, is left
    to `settle_or_record`. Raises ClaimsCrossed and the database's own errors.
    """
    try:
        return _knowing_months(lambda: _claim(incoming))
    except OperationalError as error:
        if isinstance(error.__cause__, DeadlockDetected | LockNotAvailable):
            raise ClaimsCrossed from error
        raise


@own_statements
def record_notice(
    notice: PaymentNotice, *, source: PaymentSource, at: datetime, receipt: ReceiptFacts | None = None
) -> Recording:
    """Records one checked notice, exactly once, with its event and (for a webhook) its receipt; commits.

    One statement when the payment is new. When its reference is known, a second one reads what is recorded: the same
    content is a duplicate, other content is a conflict that staff will see. Raises ReferenceUnsettled when the
    reference was claimed and released by others three times in a row.
    """
    incoming = Incoming(notice, Origin(source, uuid7(at) if receipt else None), at, uuid7(at), receipt)
    return _knowing_months(lambda: _record(incoming))


@own_statements
def settle_or_record(incoming: Incoming) -> Recording:
    """What became of a notice that `claim_notices` has just not recorded; records it when nobody else has."""
    return _settle(incoming) or _knowing_months(lambda: _record(incoming))


@inside_unit_of_work
def record_notice_as_step(notice: PaymentNotice, *, origin: Origin, at: datetime) -> Recording:
    """The same as one step of a larger unit of work (manual entry, a correction), which commits or undoes it.

    The caller has made sure of the month's partition before it opened its unit: partitions are made on their own.
    """
    return _record(Incoming(notice, origin, at, uuid7(at)), is_step=True)


def _knowing_months(record: Callable[[], R]) -> R:
    """Records; once more when a month went into the archive in this very moment, of which this process did not know."""
    try:
        return record()
    except DatabaseError as error:
        if not is_archived_month(error):
            raise
    known_months.refresh()
    return record()


def _record(incoming: Incoming, *, is_step: bool = False) -> Recording:
    for _ in range(ATTEMPTS):
        (is_new,) = _claim([incoming])
        if is_new:
            return recorded(incoming)
        recording = _settle(incoming)
        if recording is not None:
            return recording
        # New, but without a partition of its month; or whoever had claimed the reference has released it again.
        if not is_step:
            ensure_known([month_of(incoming.notice.payment_date)])
    raise ReferenceUnsettled


def recorded(incoming: Incoming) -> Recording:
    """What became of a notice that was new."""
    return Recording(Outcome.RECORDED, incoming.payment_id, incoming.notice.payment_date)


def _claim(incoming: Sequence[Incoming]) -> list[bool]:
    with connection.cursor() as cursor:
        is_shared = len(incoming) > 1
        values = _shared_values(incoming) if is_shared else _values(incoming[0])
        cursor.execute(record_notices_sql(is_shared=is_shared), values)
        won = {payment_id for (payment_id,) in cursor.fetchall()}
    return [each.payment_id in won for each in incoming]


def _settle(incoming: Incoming) -> Recording | None:
    """What is recorded under the reference; None when whoever had claimed it has released it again."""
    receipt = incoming.receipt
    # A webhook-id that came with another body is refused before its body can leave a conflict.
    if receipt is not None:
        refuse_reused_key(receipt.channel_slug, receipt.receipt_key, receipt.body_digest)
    # The claim found the reference taken. Whoever took it may have committed after our snapshot, so that only a new
    # statement is sure to see the payment.
    with connection.cursor() as cursor:
        cursor.execute(settle_notice_sql(), _values(incoming))
        known = cursor.fetchone()
    if known is None:
        return None
    _, payment_id, payment_date, is_same, difference = known
    outcome = Outcome.DUPLICATE if is_same else Outcome.CONFLICT
    return Recording(outcome, payment_id, payment_date, tuple(exactjson.loads(difference or "[]")))


def _values(incoming: Incoming) -> dict[str, Any]:
    origin = incoming.origin
    return {
        **parameters(source=origin.source, batch_id=origin.batch_id, months=known_months.ranges(), at=incoming.at),
        **notice_values(incoming.notice),
        "payment_id": incoming.payment_id,
        "source_row_id": origin.row_id,
        **_receipt_values(incoming.receipt),
    }


def _shared_values(incoming: Sequence[Incoming]) -> dict[str, Any]:
    rows = [
        {
            **notice_values(each.notice),
            "amount": str(each.notice.amount),
            "row_id": place,
            "payment_id": each.payment_id,
            "receipt_id": each.origin.batch_id,
            "received_at": each.at,
            **_receipt_values(each.receipt),
        }
        for place, each in enumerate(incoming)
    ]
    at = max(each.at for each in incoming)
    return {
        **parameters(source=incoming[0].origin.source, batch_id=None, months=known_months.ranges(), at=at),
        "notices": orjson.dumps(rows).decode(),
    }


def _receipt_values(receipt: ReceiptFacts | None) -> dict[str, Any]:
    return {
        "channel_slug": receipt.channel_slug if receipt else None,
        "receipt_key": receipt.receipt_key if receipt else None,
        "body_digest": receipt.body_digest if receipt else "",
        "source_address": receipt.source_address if receipt else None,
        "request_id": receipt.request_id if receipt else "",
        "elapsed_ms": (time.perf_counter() - receipt.arrived) * 1000 if receipt else 0,
    }
