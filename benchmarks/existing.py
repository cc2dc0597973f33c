"""Payments of past months, put in place by a few statements: as our recorder would have left them, but in minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from kernel.periods import Month
from payments.operations.staging_table import create_staging_table
from payments.partitioning import ensure_partitions_for, known_months, month_of
from payments.recorder import SQL_FOLDER

GATE, PREVIOUS, HISTORY = "payment_references", "payment_references_previous", "payment_references_history"
# Above every number that stagedrows.py uses, so that no reference is made twice.
NUMBERS_FROM = 1_000_000_000
RECORDED_AFTER = timedelta(minutes=20)

# Rows in the order of their moments, references in no order; ids as the recorder makes them (UUID version 7).
MAKE = """
create unlogged table stretch as
select
    number,
    'R' || substr(digest, 1, 18) as reference_number,
    (lpad(to_hex((extract(epoch from created_at) * 1000)::bigint), 12, '0')
        || '7' || substr(digest, 1, 3) || '8' || substr(digest, 4, 15))::uuid as payment_id,
    'LN' || lpad((number %% 50021)::text, 8, '0') as loan_account_number,
    'CIF' || lpad((number %% 40009)::text, 7, '0') as cif,
    ((number %% 900000 + 100) / 100.0)::numeric(15, 2) as amount,
    'CAD'::text as currency,
    payment_date, created_at,
    (array['online-banking', 'branch', 'mobile', 'merchant-pos'])[number %% 4 + 1] as payment_channel,
    jsonb_build_object('branch', number %% 310, 'batch', 'night', 'operator', 'batch-' || number %% 17) as metadata
from (
    select number, md5(number::text) as digest, payment_date, payment_date + %(recorded_after)s::interval as created_at
    from (
        select %(first)s + place as number,
            %(begins)s::timestamptz + (%(ends)s::timestamptz - %(begins)s::timestamptz) * (place::float8 / %(rows)s)
                as payment_date
        from generate_series(0, %(rows)s::bigint - 1) as place
    ) moments
) numbered
"""
PAYMENTS = """
insert into payments (
    id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel, source, metadata,
    source_batch_id, source_row_id, created_at
)
select payment_id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel,
    'staging', metadata, '00000000-0000-7000-8000-000000000002', number, created_at
from stretch order by number
"""
REFERENCES = """
insert into {table} (reference_number, payment_id, payment_date, created_at)
select reference_number, payment_id, payment_date, created_at from stretch order by reference_number
"""
KEPT_REFERENCES = """
insert into payment_references_history (reference_number, payment_id, payment_date, created_at, content_digest)
select reference_number, payment_id, payment_date, created_at, {content_digest}
from stretch order by reference_number
"""
# Delivered: nothing of it waits in the queue, and each batch of it is in the log of publications.
EVENTS = """
insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)
select payment_id, 'payment.recorded', '/paymentsite/payments', payment_id::text, %(topic)s, loan_account_number,
    json_build_object('event_id', payment_id, 'event_type', 'payment.recorded', 'timestamp', created_at, 'payment',
        json_build_object(
            'id', payment_id, 'reference_number', reference_number, 'loan_account_number', loan_account_number,
            'cif', cif, 'amount', amount, 'payment_date', payment_date, 'payment_channel', payment_channel,
            'source', 'staging', 'metadata', metadata
        )
    )::text,
    created_at
from stretch order by number
"""
PUBLICATIONS = """
insert into outbox_publication (published_at, topic, events, positions)
select max(occurred_at), %(topic)s, count(*), range_agg(int8range(position, position + 1))
from outbox_event where position > %(delivered)s group by position / 500 order by min(position)
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many payments, evenly between two moments, whose references are in one of the three tables of them."""

    rows: int
    begins: datetime
    ends: datetime
    references: str
    with_events: bool = True


def twelve_months(rows: int, *, at: datetime) -> tuple[Stretch, ...]:
    """So many payments over the year before: the references of the latest in the gate, of earlier ones behind it."""
    kept = timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS)
    latest, year = at - timedelta(hours=2), timedelta(days=365)
    share = int(rows * min(kept / year, 0.4))
    return (
        Stretch(rows - 2 * share, at - year, at - 2 * kept, HISTORY),
        Stretch(share, at - 2 * kept, at - kept, PREVIOUS),
        Stretch(share, at - kept, latest, GATE),
    )


def put(*stretches: Stretch) -> None:
    """Makes the months and puts the payments into them. Partitions exist afterwards, statistics are fresh."""
    create_staging_table()
    ensure_partitions_for({month for stretch in stretches for month in _months(stretch)})
    known_months.refresh()
    first = NUMBERS_FROM
    for stretch in stretches:
        _put(stretch, first)
        first += stretch.rows
    with connection.cursor() as cursor:
        cursor.execute("vacuum (analyze)")


@transaction.atomic
def _put(stretch: Stretch, first: int) -> None:
    table = stretch.references
    digest = (SQL_FOLDER / "content_digest.sql").read_text()
    references = KEPT_REFERENCES.format(content_digest=digest) if table == HISTORY else REFERENCES.format(table=table)
    with connection.cursor() as cursor:
        # What lies there already was checked when it came.
        cursor.execute("set local session_replication_role = replica")
        values: dict[str, Any] = {
            "first": first,
            "rows": stretch.rows,
            "begins": stretch.begins,
            "ends": stretch.ends,
            "recorded_after": RECORDED_AFTER,
        }
        cursor.execute(MAKE, values)
        cursor.execute(PAYMENTS)
        cursor.execute(references)
        if stretch.with_events:
            cursor.execute("select coalesce(max(position), 0) from outbox_event")
            delivered = {"delivered": cursor.fetchone()[0], "topic": settings.KAFKA_TOPIC}
            cursor.execute(EVENTS, delivered)
            cursor.execute(PUBLICATIONS, delivered)
        cursor.execute("drop table stretch")


def _months(stretch: Stretch) -> Iterator[Month]:
    month, last = month_of(stretch.begins), month_of(stretch.ends)
    while month <= last:
        yield month
        month = month.plus(1)
