"""Records notices that a door has checked: webhooks one at a time, manual entry and corrections as a step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from kernel import exactjson
from kernel.errors import Conflict, Unavailable
from kernel.transactions import inside_unit_of_work, own_statements
from kernel.uuids import uuid7
from payments.notices import PaymentNotice
from payments.operations.receipts import refuse_reused_key
from payments.partitioning import ensure_known, known_months, month_of
from payments.recorder import notice_values, parameters, record_notices_sql, settle_notices_sql
from payments.states import Outcome, PaymentSource

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
    """What the receipt of a webhook request keeps beside the payment. elapsed_ms counts from the request's arrival."""

    channel_slug: str
    receipt_key: str
    body_digest: str
    source_address: str | None = None
    request_id: str = ""
    elapsed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a notice came from: the kind of source, and the batch or receipt and the staged row where there are any."""

    source: PaymentSource
    batch_id: UUID | None = None
    row_id: int | None = None


@own_statements
def record_notice(
    notice: PaymentNotice, *, source: PaymentSource, at: datetime, receipt: ReceiptFacts | None = None
) -> Recording:
    """Records one checked notice, exactly once, with its event and (for a webhook) its receipt; commits.

    One statement when the payment is new. When its reference is known, a second one reads what is recorded: the same
    content is a duplicate, other content is a conflict that staff will see. Raises ReferenceUnsettled when the
    reference was claimed and released by others three times in a row.
    """
    ensure_known([month_of(notice.payment_date)])
    # The receipt is written under this id, and the payment names it as what brought it.
    receipt_id = uuid7(at) if receipt else None
    return _record(_values(notice, Origin(source, receipt_id), at=at, receipt=receipt))


@inside_unit_of_work
def record_notice_as_step(notice: PaymentNotice, *, origin: Origin, at: datetime) -> Recording:
    """The same as one step of a larger unit of work (manual entry, a correction), which commits or undoes it.

    The caller has made sure of the month's partition before it opened its unit: partitions are made on their own.
    """
    return _record(_values(notice, origin, at=at, receipt=None))


def _record(values: dict[str, Any]) -> Recording:
    for _ in range(ATTEMPTS):
        with connection.cursor() as cursor:
            cursor.execute(record_notices_sql(), values)
            won = cursor.fetchone()
            if won is not None:
                return Recording(Outcome.RECORDED, *won)
            # A webhook-id that came with another body is refused before its body can leave a conflict.
            if values["receipt_key"] is not None:
                refuse_reused_key(values["channel_slug"], values["receipt_key"], values["body_digest"])
            # The claim found the reference taken. Whoever took it may have committed after our snapshot, so that only
            # a new statement is sure to see the payment.
            cursor.execute(settle_notices_sql(), values)
            known = cursor.fetchone()
        if known is not None:
            _, payment_id, payment_date, is_same, difference = known
            outcome = Outcome.DUPLICATE if is_same else Outcome.CONFLICT
            return Recording(outcome, payment_id, payment_date, tuple(exactjson.loads(difference or "[]")))
    raise ReferenceUnsettled


def _values(notice: PaymentNotice, origin: Origin, *, at: datetime, receipt: ReceiptFacts | None) -> dict[str, Any]:
    return {
        **parameters(source=origin.source, batch_id=origin.batch_id, months=known_months.ranges(), at=at),
        **notice_values(notice),
        "payment_id": uuid7(at),
        "source_row_id": origin.row_id,
        "channel_slug": receipt.channel_slug if receipt else None,
        "receipt_key": receipt.receipt_key if receipt else None,
        "body_digest": receipt.body_digest if receipt else "",
        "source_address": receipt.source_address if receipt else None,
        "request_id": receipt.request_id if receipt else "",
        "elapsed_ms": receipt.elapsed_ms if receipt else 0,
    }
