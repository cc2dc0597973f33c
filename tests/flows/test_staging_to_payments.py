"""From the ETL's table to payments and events, at the size of a real night, by two workers at once."""

from __future__ import annotations

import pytest

from payments.ingestion import IngestionTotals, Pace, ingest
from tests.payments.staged import count, prepare_staging, stage_many

ROWS = 100_000
DUPLICATES = 5_000


@pytest.mark.django_db(transaction=True)
def test_a_hundred_thousand_rows_by_two_workers_end_in_exact_counts() -> None:
    prepare_staging()
    distinct = stage_many(ROWS, duplicate_every=20)
    assert distinct == ROWS - DUPLICATES

    totals = ingest(Pace(batch_size=5000, workers=2))

    assert totals == IngestionTotals(
        batches=totals.batches, rows=ROWS, recorded=distinct, duplicates=DUPLICATES, conflicts=0, rejected=0
    )
    assert count("payments") == distinct
    assert count("payment_references") == distinct
    assert count("outbox_event") == distinct
    assert count("outbox_delivery") == distinct
    assert count("staging_duplicate") == DUPLICATES
    assert count("payment_staging", "processed is not true") == 0
    # Each payment has its own reference and its own event, not only as many.
    matching = "r.reference_number = p.reference_number and r.payment_id = p.id and r.payment_date = p.payment_date"
    assert count(f"payments p join payment_references r on {matching}") == distinct
    assert count("payments p join outbox_event e on e.subject = p.id::text") == distinct
