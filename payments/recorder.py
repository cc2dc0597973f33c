"""The recorder's SQL: the statements of payments/sql, put together once for each way in."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

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
        source_batch_id="%(batch_id)s::uuid",
        source_row_id="row_id",
        payment_fields=_text("event_payment_fields"),
        settlement=_text("settle_staged_rows").format(staging_table=staging_table(), reasons=REASONS_SQL),
    )


@cache
def settle_staged_rows_sql() -> str:
    """Sorts the rows of %(row_ids)s, whose references were known, into duplicates and conflicts."""
    return _text("settle_known_references").format(
        incoming=_text("rows_from_staging").format(
            staging_table=staging_table(), selection="where staged.id = any (%(row_ids)s::bigint[])"
        ),
        content_digest=_text("content_digest"),
        staging_id="row_id",
        settlement=_text("settle_known_staged_rows"),
    )


@cache
def record_notices_sql(*, is_shared: bool) -> str:
    """Records notices that are already checked, each with a webhook receipt when it has a channel.

    One as plain values, which is cheapest to send; or, shared, those of several requests as %(notices)s.
    """
    return _text("record_payments").format(
        incoming=_text("rows_from_notices" if is_shared else "rows_from_notice"),
        acceptable="true",
        source_batch_id="receipt_id",
        source_row_id="source_row_id",
        payment_fields=_text("event_payment_fields"),
        settlement=_text("settle_notice"),
    )


@cache
def settle_notice_sql() -> str:
    """Says for notices whose references were known whether they are the same payment, and keeps the conflicts."""
    return _text("settle_known_references").format(
        incoming=_text("rows_from_notice"),
        content_digest=_text("content_digest"),
        staging_id="source_row_id",
        settlement=_text("settle_known_notices"),
    )


@cache
def merge_references_sql() -> str:
    """Merges the references above %(after)s, %(chunk)s at the most; gives the last of them and how many."""
    return _text("merge_references").format(content_digest=_text("content_digest"))


def parameters(*, source: PaymentSource, batch_id: Any, months: str, at: datetime) -> dict[str, Any]:
    """What every recording statement needs, whatever its rows come from; months is a tstzmultirange as text."""
    return {
        "at": at,
        "source": source.value,
        "batch_id": batch_id,
        "months": months,
        "event_source": EVENT_SOURCE,
        "topic": settings.KAFKA_TOPIC,
        "ledger_currency": settings.LEDGER_CURRENCY,
    }


def id_prefix(at: datetime) -> str:
    """The first 22 hexadecimal digits of a batch's payment ids (UUID version 7, RFC 9562): milliseconds, then chance.

    Each row adds ten digits of its own number, so that ids in a batch follow the order of its rows, which fills the
    indexes from one end, and cost no random number each.
    """
    chance = secrets.randbits(32)
    return f"{int(at.timestamp() * 1000):012x}7{chance & 0xFFF:03x}{8 | chance >> 12 & 3:x}{chance >> 14 & 0xFFFFF:05x}"


def notice_values(notice: PaymentNotice) -> dict[str, Any]:
    """The notice as the values of payments/sql/rows_from_notice.sql."""
    return {
        "reference_number": notice.reference_number,
        "loan_account_number": notice.loan_account_number,
        "cif": notice.cif,
        "amount": notice.amount,
        "currency": notice.currency,
        "payment_date": notice.payment_date,
        "payment_channel": notice.payment_channel,
        "metadata": notice.metadata_json,
    }


@cache
def _text(name: str) -> str:
    """The file without its comments and indentation, which are for readers and not for the wire.

    psycopg remembers how it has read a statement of up to 4096 characters; a longer one it reads again each time.
    """
    lines = (line.strip() for line in (SQL_FOLDER / f"{name}.sql").read_text().splitlines())
    return "\n".join(line for line in lines if not line.startswith("--"))
