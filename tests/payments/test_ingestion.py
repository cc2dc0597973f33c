"""Chunk after chunk until nothing is left: workers side by side, late commits, broken rows and broken connections."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import pytest
from django.db import OperationalError, connection

from payments import ingestion
from payments.ingestion import IngestionStopped, IngestionTotals, Pace, ingest
from payments.models import StagingProcessLog, StagingRejection
from payments.operations.staging import Chunk
from payments.operations.staging import record_chunk as really_record_chunk
from tests.payments.staged import a_row, count, prepare_staging, stage, stage_many

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


def test_everything_that_waits_is_taken_in_batches() -> None:
    stage_many(25)

    totals = ingest(Pace(batch_size=10))

    assert totals == IngestionTotals(batches=3, rows=25, recorded=25)
    assert count("payment_staging", "processed is not true") == 0
    assert count("staging_process_log") == 3


def test_one_batch_a_worker_when_not_asked_to_go_on() -> None:
    stage_many(25)

    totals = ingest(Pace(batch_size=10, until_empty=False))

    assert totals == IngestionTotals(batches=1, rows=10, recorded=10)
    assert count("payment_staging", "processed is not true") == 15


def test_two_workers_record_every_row_once() -> None:
    distinct = stage_many(4000, duplicate_every=20)

    totals = ingest(Pace(batch_size=250, workers=2))

    assert (totals.rows, totals.recorded, totals.duplicates) == (4000, distinct, 200)
    assert count("payments") == count("payment_references") == count("outbox_event") == distinct
    assert count("staging_duplicate") == 200


def test_a_row_that_was_committed_late_with_a_lower_id_is_not_skipped() -> None:
    stage_many(50)
    low_id = stage(a_row("LATE"))[0]
    with connection.cursor() as cursor:
        # The ETL's transaction drew its id before the others and commits while the run is under way.
        cursor.execute("delete from payment_staging where id = %s", [low_id])
    reached = threading.Event()

    def insert_late(totals: IngestionTotals) -> None:
        if not reached.is_set():
            reached.set()
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into payment_staging (id, reference_number, loan_account_number, cif, amount, payment_date)"
                    " values (0, 'LATE', 'LN1', 'CIF1', 5, '2026-11-20 10:00')"
                )

    totals = ingest(Pace(batch_size=10), on_progress=insert_late)

    assert totals.recorded == 51
    assert count("payments", "reference_number = 'LATE'") == 1


def test_a_month_without_partition_is_made_and_the_batch_goes_through() -> None:
    stage(a_row("OLD", payment_date=datetime(2024, 2, 29, 12, 0)), a_row("NEW"))

    totals = ingest(Pace(batch_size=10))

    assert (totals.recorded, totals.rejected) == (2, 0)
    assert count("payments_2024_02") == 1
    assert count("payments_default") == 0


def test_a_row_that_the_database_refuses_is_put_aside_and_holds_nobody_back() -> None:
    stage(*[a_row(f"R{place}") for place in range(9)])
    with connection.cursor() as cursor:
        cursor.execute("alter table payment_references add constraint t_refuse check (reference_number <> 'R4')")
    try:
        totals = ingest(Pace(batch_size=9))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table payment_references drop constraint t_refuse")

    assert (totals.rows, totals.recorded, totals.rejected) == (9, 8, 1)
    rejection = StagingRejection.objects.get()
    assert (rejection.reference_number, rejection.reasons) == ("R4", ["not_storable"])
    assert "t_refuse" in rejection.raw["database_message"]
    assert count("payment_staging", "processed is not true") == 0


def _failing(times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes the next chunks fail so many times as a lost connection would; the attempts are noted."""
    attempts: list[int] = []

    def record(**arguments: Any) -> Chunk | None:
        attempts.append(arguments["attempt"])
        if len(attempts) <= times:
            raise OperationalError("server closed the connection unexpectedly")
        return really_record_chunk(**arguments)

    monkeypatch.setattr(ingestion, "record_chunk", record)
    return attempts


def test_a_transient_fault_is_retried_and_the_log_says_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(a_row())
    attempts = _failing(2, monkeypatch)

    totals = ingest(Pace(batch_size=10, max_retries=3))

    assert totals.recorded == 1
    assert attempts[:3] == [1, 2, 3]
    assert StagingProcessLog.objects.get().attempts == 3


def test_after_the_last_retry_the_failed_batch_is_logged_and_its_rows_are_untouched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage(a_row("A"), a_row("B"))
    attempts = _failing(99, monkeypatch)

    with pytest.raises(IngestionStopped, match="failed 2 times"):
        ingest(Pace(batch_size=10, max_retries=1))

    assert attempts == [1, 2]
    log = StagingProcessLog.objects.get()
    assert (log.status, log.total_records, log.attempts) == ("failed", 2, 2)
    assert log.error_details is not None
    assert "server closed the connection" in log.error_details["cause"]
    assert count("payments") == count("payment_references") == 0
    assert count("payment_staging", "processed is not true") == 2


def test_a_cancelled_run_stops_after_its_batch_and_leaves_the_rest_waiting() -> None:
    stage_many(100)

    def cancel(_: IngestionTotals) -> None:
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        ingest(Pace(batch_size=1), on_progress=cancel)

    recorded = count("payments")
    assert 1 <= recorded < 100
    assert count("payment_staging", "processed") == recorded
