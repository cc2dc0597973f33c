"""Generated rows in the staging table, every twentieth of them a repetition, and what must have become of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from payments.ingestion import Pace, ingest
from payments.operations.staging_table import create_staging_table
from payments.partitioning import ensure_partitions_for, known_months, month_of
from payments.recorder import staging_table

DUPLICATE_EVERY = 20
DAYS = 60
EXISTING_FROM = 100_000_000

# Row `place` repeats an earlier row when it is a twentieth: one of its own twenty, or (every second time) of any twenty
# before. References are digests, so that they come in no order, as from many systems.
STAGE = """
insert into {staging_table} (
    reference_number, loan_account_number, cif, amount, payment_date, payment_channel, metadata
)
select
    'R' || substr(md5(number::text), 1, 18),
    'LN' || lpad((number %% 50021)::text, 8, '0'),
    'CIF' || lpad((number %% 40009)::text, 7, '0'),
    (number %% 900000 + 100) / 100.0,
    %(newest)s::timestamp - (number * 7919 %% ({days} * 86400)) * interval '1 second',
    (array['online-banking', 'branch', 'mobile', 'merchant-pos'])[number %% 4 + 1],
    jsonb_build_object('branch', number %% 310, 'batch', 'night', 'operator', 'batch-' || number %% 17)
from (
    select %(first)s + case
        when place %% 20 <> 0 then place
        when place %% 40 = 0 then place - 20 * (place * 31 %% (place / 20)) - 1 - place / 40 %% 19
        else place - 1 - place / 20 %% 19
    end as number
    from generate_series(1, %(rows)s::bigint) as place
    where %(with_duplicates)s or place %% 20 <> 0
) numbered
"""


def fill(*, existing_payments: int, staged_rows: int) -> None:
    """Partitions, payments that are there already (recorded by our own recorder), and rows that wait."""
    now = datetime.now(UTC)
    create_staging_table()
    month = month_of(now).plus(-3)
    ensure_partitions_for(month.ahead(5))
    known_months.refresh()
    # Four rows more than are needed for each twentieth that is left out.
    _stage(existing_payments * 20 // 19, first=EXISTING_FROM, with_duplicates=False)
    ingest(Pace(batch_size=5000))
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {staging_table()}")
        cursor.execute("vacuum (analyze)")
    # Not analysed: an ETL has just loaded them, and the next minute's ingestion meets them so.
    _stage(staged_rows, first=0, with_duplicates=True)


def _stage(rows: int, *, first: int, with_duplicates: bool) -> None:
    newest = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    parameters: dict[str, Any] = {"newest": newest, "first": first, "rows": rows, "with_duplicates": with_duplicates}
    with connection.cursor() as cursor:
        cursor.execute(STAGE.format(staging_table=staging_table(), days=DAYS), parameters)


def duplicates_in(rows: int) -> int:
    return rows // DUPLICATE_EVERY


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        return int(cursor.fetchone()[0])


def counted() -> tuple[int, int, int, int]:
    """(payments, references, events, waiting deliveries)."""
    payments, references, events, deliveries = (
        count(table) for table in ("payments", "payment_references", "outbox_event", "outbox_delivery")
    )
    return payments, references, events, deliveries
