"""Receipts of webhook requests that recorded nothing new; the one of a new payment is part of recording it.

Each is one statement of its own after the answer is decided. A receipt that cannot be written changes no answer.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from kernel.errors import Conflict
from kernel.uuids import uuid7
from payments.states import ReceiptOutcome

logger = logging.getLogger(__name__)

# Who cannot prove to be the channel may not fill our disk: this many receipts at once, and so many more each second.
STRANGERS_BURST = 200
STRANGERS_PER_SECOND = 5.0

FIND_KEY = (
    "select body_digest, payment_id, payment_date from webhook_receipt where channel_slug = %s and receipt_key = %s"
)

# A repeat keeps its key only when nobody has it yet; of two that race for a free one, the second gets none.
KEEP = """
insert into webhook_receipt (
    id, channel_slug, receipt_key, body_digest, outcome, status_code, problem_code, reference_number, payment_id,
    payment_date, source_address, request_id, received_at, duration_ms
)
values (
    %(id)s::uuid, %(channel_slug)s::text, %(receipt_key)s::text, %(body_digest)s::text, %(outcome)s::text,
    %(status_code)s::smallint, %(problem_code)s::text, %(reference_number)s::text, %(payment_id)s::uuid,
    %(payment_date)s::timestamptz, %(source_address)s::inet, %(request_id)s::text, %(received_at)s::timestamptz,
    %(duration_ms)s::numeric
)
on conflict (channel_slug, receipt_key) do nothing
"""


class WebhookIdReused(Conflict):
    """This webhook-id has already come with another body."""

    code = "webhook-id-reused"
    title = "Webhook id used for two bodies"
    next_step = "Give every message an id of its own; keep it only when the same body is sent again."


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request and what became of it. duration_ms counts from its arrival; receipt_key is None for a refusal."""

    channel_slug: str
    receipt_key: str | None
    body_digest: str
    outcome: ReceiptOutcome
    status_code: int
    received_at: datetime
    duration_ms: float
    problem_code: str = ""
    reference_number: str = ""
    payment_id: UUID | None = None
    payment_date: datetime | None = None
    source_address: str | None = None
    request_id: str = ""


def refuse_reused_key(channel_slug: str, receipt_key: str, body_digest: str) -> tuple[UUID, datetime] | None:
    """Raises WebhookIdReused when the key came with another body; gives the payment that it recorded, if it did."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_KEY, [channel_slug, receipt_key])
        found = cursor.fetchone()
    if found is None:
        return None
    earlier_digest, payment_id, payment_date = found
    if earlier_digest != body_digest:
        raise WebhookIdReused(receipt_key=receipt_key)
    return (payment_id, payment_date) if payment_id is not None else None


def keep_receipt(receipt: Receipt) -> None:
    """Writes the receipt; where its key is taken, without the key. A failure is logged, not raised."""
    values = {name: getattr(receipt, name) for name in Receipt.__slots__}
    values |= {"id": uuid7(receipt.received_at), "outcome": receipt.outcome.value}
    try:
        with connection.cursor() as cursor:
            cursor.execute(KEEP, values)
            if cursor.rowcount == 0:
                cursor.execute(KEEP, values | {"receipt_key": None})
    except (DatabaseError, InterfaceError) as error:
        extra = {"action": "keep_receipt", "channel": receipt.channel_slug, "cause": type(error).__name__}
        logger.warning("A webhook's receipt could not be kept", extra=extra)


def keep_strangers_receipt(receipt: Receipt) -> None:
    """The same for a request that did not prove who sent it: within a budget, beyond which only metrics count it."""
    if _budget.spend():
        keep_receipt(receipt)


class _Budget:
    """A bucket that fills with time; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = float(STRANGERS_BURST)
        self._counted_at = time.monotonic()

    def spend(self) -> bool:
        with self._lock:
            now = time.monotonic()
            earned = (now - self._counted_at) * STRANGERS_PER_SECOND
            self._left = min(STRANGERS_BURST, self._left + earned)
            self._counted_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


_budget = _Budget()
