"""The recorder's SQL: the statements of payments/sql, put together once for each way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg.types.json import Jsonb

from kernel import exactjson
from payments.notices import PaymentNotice
from payments.rules import ACCEPTABLE_SQL, REASONS_SQL
from payments.states import PaymentSource

SQL_FOLDER = Path(__file__).parent / "sql"
EVENT_SOURCE = "/paymentsite/payments"


@cache
def staging_table() -> str:
    """The staging table's name, quoted; the setting was checked when it was read."""
    return ".".join(connection.ops.quote_name(part) for part in settings.STAGING_TABLE if part)


@cache
def record_staged_rows_sql(batch_size: int | None) -> str:
    """Records the next unprocessed rows, batch_size at the most; with None, the rows of %(row_ids)s.

    The size stands in the text and not among the parameters, so that the planner knows it.
    """
    if batch_size is None:
        selection = "where staged.id = any (%(row_ids)s::bigint[]) and staged.processed is not true"
        limit = ""
    else:
        selection = "where staged.processed is not true and staged.id > %(after_id)s::bigint"
        limit = f" limit {batch_size:d}"
    return _text("record_payments").format(
        incoming=_text("rows_from_staging").format(
            staging_table=staging_table(),
            selection=f"{selection} order by staged.id{limit} for update skip locked",
        ),
        acceptable=ACCEPTABLE_SQL,
        reasons=REASONS_SQL,
        source_row_id="row_id",
        payment_fields=_text("event_payment_fields"),
        settlement=_text("settle_staged_rows").format(staging_table=staging_table()),
    )


@cache
def settle_staged_rows_sql() -> str:
    """Sorts the rows of %(row_ids)s, whose references were known, into duplicates and conflicts."""
    return _text("settle_known_references").format(
        incoming=_text("rows_from_staging").format(
            staging_table=staging_table(), selection="where staged.id = any (%(row_ids)s::bigint[])"
        ),
        staging_id="row_id",
        settlement=_text("settle_known_staged_rows"),
    )


@cache
def record_notices_sql() -> str:
    """Records notices that are already checked, with a webhook receipt when there is a channel."""
    return _text("record_payments").format(
        incoming=_text("rows_from_notices"),
        acceptable="true",
        reasons="null::text[]",
        source_row_id="%(source_row_id)s::bigint",
        payment_fields=_text("event_payment_fields"),
        settlement=_text("settle_notice"),
    )


@cache
def settle_notices_sql() -> str:
    """Says for notices whose references were known whether they are the same payment, and keeps the conflicts."""
    return _text("settle_known_references").format(
        incoming=_text("rows_from_notices"),
        staging_id="%(source_row_id)s::bigint",
        settlement=_text("settle_known_notices"),
    )


def parameters(*, source: PaymentSource, batch_id: Any, months: Sequence[Any], at: datetime) -> dict[str, Any]:
    """What every recording statement needs, whatever its rows come from."""
    return {
        "at": at,
        "at_hex": f"{int(at.timestamp() * 1000):012x}",
        "source": source.value,
        "batch_id": batch_id,
        "months": list(months),
        "event_source": EVENT_SOURCE,
        "topic": settings.KAFKA_TOPIC,
        "ledger_currency": settings.LEDGER_CURRENCY,
    }


def notice_columns(notices: Iterable[PaymentNotice]) -> dict[str, list[Any]]:
    """Notices as one array a column, in their order; row ids count from 1."""
    rows = list(notices)
    return {
        "row_ids": list(range(1, len(rows) + 1)),
        "reference_numbers": [row.reference_number for row in rows],
        "loan_account_numbers": [row.loan_account_number for row in rows],
        "cifs": [row.cif for row in rows],
        "amounts": [row.amount for row in rows],
        "currencies": [row.currency for row in rows],
        "payment_dates": [row.payment_date for row in rows],
        "payment_channels": [row.payment_channel for row in rows],
        "metadatas": [Jsonb(row.metadata, dumps=exactjson.dumps) if row.metadata else None for row in rows],
    }


@cache
def _text(name: str) -> str:
    """The file without its comments and indentation, which are for readers and not for the wire.

    psycopg remembers how it has read a statement of up to 4096 characters; a longer one it reads again each time.
    """
    lines = (line.strip() for line in (SQL_FOLDER / f"{name}.sql").read_text().splitlines())
    return "\n".join(line for line in lines if not line.startswith("--"))
