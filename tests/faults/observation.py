"""What the database holds after a run of random clients: payments, events, and the outcomes of staged rows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg

from tests.faults.clients import Outcome
from tests.faults.history import Content, Kind, Stored

PAYMENTS = """
select id::text, reference_number, loan_account_number, cif, amount, currency, payment_date
from payments where reference_number like %s
"""
# An answer that is believed to be a little later than it was accuses nobody.
CLOCKS_AGREE_SECONDS = 0.1
EVENTS = "select subject, body from outbox_event where body like %s"
# The row carries the moment at which its batch began; it was decided by the time at which the batch was logged.
STAGED = """
select staged.metadata ->> 'mark', staged.processed,
       (select array_agg(id::text) from payments where source = 'staging' and source_row_id = staged.id),
       (select array_agg(payment_id::text) from staging_duplicate where staging_id = staged.id),
       (select count(*) from staging_rejection where staging_id = staged.id),
       (
           select array_agg(conflict.payment_id::text) from reference_conflict conflict
           where conflict.reference_number = staged.reference_number
               and conflict.received ->> 'loan_account_number' = staged.loan_account_number
               and conflict.received ->> 'cif' = staged.cif
               and (conflict.received ->> 'amount')::numeric = staged.amount
               and conflict.received ->> 'currency' = 'CAD'
               and (conflict.received ->> 'payment_date')::timestamptz = staged.payment_date at time zone 'UTC'
       ),
       (
           select extract(epoch from max(batch.completed_at)) from staging_process_log batch
           where batch.started_at = staged.processed_at at time zone 'UTC'
       )
from payment_staging staged where staged.metadata ->> 'mark' like %s
"""
WAITING = """
select (select count(*) from payment_staging where processed is not true)
    + (select count(*) from outbox_delivery)
"""


def content_of(account: str, cif: str, amount: Any, currency: str, moment: datetime) -> Content:
    return Content(account, cif, f"{Decimal(amount):.2f}", currency, moment.astimezone(UTC).isoformat())


def payments(session: psycopg.Connection, prefix: str) -> list[Stored]:
    rows = session.execute(PAYMENTS, [f"{prefix}%"]).fetchall()
    return [Stored(identity, reference, content_of(*rest)) for identity, reference, *rest in rows]


def events(session: psycopg.Connection, prefix: str) -> list[Stored]:
    """As a consumer reads them: from the body alone."""
    return [_announced(json.loads(body)) for _, body in session.execute(EVENTS, [f'%"{prefix}%']).fetchall()]


def _announced(body: dict[str, Any]) -> Stored:
    payment = body["payment"]
    content = content_of(
        payment["loan_account_number"],
        payment["cif"],
        # A JSON number in the body; two decimals are well within what a float holds of these amounts.
        payment["amount"],
        payment.get("currency", "CAD"),
        datetime.fromisoformat(payment["payment_date"]),
    )
    return Stored(payment["id"], payment["reference_number"], content)


def staged_outcomes(session: psycopg.Connection, prefix: str) -> Iterator[Outcome]:
    """What became of each staged row that is there."""
    # From the database's clock, which is this machine's, to that of the clients.
    offset = time.monotonic() - time.time() + CLOCKS_AGREE_SECONDS
    for mark, is_done, made, repeated, rejected, conflicts, done_at in session.execute(STAGED, [f"{prefix}%"]):
        told = [(Kind.CREATED, payment_id) for payment_id in made or []]
        told += [(Kind.DUPLICATE, payment_id) for payment_id in repeated or []]
        told += [(Kind.REFUSED, None)] * rejected
        if is_done and not told and conflicts:
            told = [(Kind.CONFLICT, conflicts[0])]
        if len(told) != 1:
            yield Outcome(mark, Kind.LOST, None, None)
            continue
        kind, payment_id = told[0]
        yield Outcome(mark, kind, payment_id, float(done_at) + offset)


def nothing_waits(connect: Callable[[], psycopg.Connection]) -> bool:
    """Every staged row is taken in and every event delivered."""
    with connect() as session:
        row = session.execute(WAITING).fetchone()
    assert row is not None
    return int(row[0]) == 0
