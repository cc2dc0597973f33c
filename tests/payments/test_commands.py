"""The commands of the app, as an operator types them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from kernel.jobs.models import JobRun
from kernel.periods import Month
from payments import recorder
from payments.ingestion import sole_scheduled_run
from payments.operations.staging_table import create_staging_table
from payments.partitioning import PAYMENT_PARTITIONS
from payments.tasks import ensure_partitions, ingest_staging
from tests.payments.staged import a_row, count, prepare_staging, stage, stage_many

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


def test_ingest_staging_says_what_became_of_the_rows_and_leaves_a_job_run(capsys: pytest.CaptureFixture[str]) -> None:
    stage(a_row("A"), a_row("A"), a_row("A", amount="1"), a_row("B", amount="-1"))

    call_command("ingest_staging", "--until-empty")

    said = "4 rows in 1 batches: 1 recorded, 1 duplicates, 1 conflicts, 1 rejected.\n"
    assert capsys.readouterr().out.endswith(said)
    run = JobRun.objects.get()
    assert run.result is not None
    assert (run.name, run.status, run.result["recorded"]) == ("ingest_staging", "succeeded", 1)


def test_ingest_staging_shows_its_progress(capsys: pytest.CaptureFixture[str]) -> None:
    stage_many(20)

    call_command("ingest_staging", "--until-empty", "--batch-size", "10", "--progress")

    lines = capsys.readouterr().out.splitlines()
    assert "10 of 20 rows" in lines
    assert "20 of 20 rows" in lines


def test_ingest_staging_without_a_staging_table_says_how_to_get_one(settings: Settings) -> None:
    settings.STAGING_TABLE = ("etl", "nowhere")
    recorder.staging_table.cache_clear()
    try:
        with pytest.raises(CommandError, match=r"no table etl\.nowhere: set STAGING_TABLE"):
            call_command("ingest_staging")
    finally:
        recorder.staging_table.cache_clear()
    assert JobRun.objects.count() == 0


@pytest.mark.parametrize("size", ["0", "-1", "50001", "ten"])
def test_a_batch_size_out_of_bounds_is_refused(size: str) -> None:
    stage(a_row())

    with pytest.raises(CommandError, match="batch-size"):
        call_command("ingest_staging", "--batch-size", size)

    assert count("payments") == 0


def test_the_scheduled_tick_begins_a_run_only_when_rows_wait() -> None:
    ingest_staging()
    assert JobRun.objects.count() == 0

    stage(a_row())
    ingest_staging()

    assert JobRun.objects.get().requested_by == "staging schedule"
    assert count("payments") == 1


def test_a_tick_that_finds_an_earlier_one_at_work_begins_no_run() -> None:
    stage(a_row())
    at_work, finished = threading.Event(), threading.Event()

    def earlier_tick() -> None:
        try:
            with sole_scheduled_run() as is_sole:
                assert is_sole
                at_work.set()
                finished.wait(10)
        finally:
            connection.close()

    earlier = threading.Thread(target=earlier_tick)
    earlier.start()
    assert at_work.wait(10)
    ingest_staging()
    assert JobRun.objects.count() == count("payments") == 0

    finished.set()
    earlier.join()
    ingest_staging()

    assert JobRun.objects.count() == count("payments") == 1


def test_partitions_are_made_ahead_by_command_and_by_task() -> None:
    call_command("partitions", verbosity=0)
    ensure_partitions()

    this_month = Month.of(timezone.now(), UTC)
    assert {this_month.plus(offset) for offset in range(-1, 4)} <= set(PAYMENT_PARTITIONS.months())


def test_checking_partitions_complains_about_strays_and_moving_them_helps(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("partitions", "--check")
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists payments_2033_05")
        cursor.execute(
            "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date, "
            "source) values (gen_random_uuid(), 'S', 'LN', 'C', 1, 'CAD', %s, 'manual')",
            [datetime(2033, 5, 1, tzinfo=UTC)],
        )

    with pytest.raises(CommandError, match="default partition holds 1 rows"):
        call_command("partitions", "--check")
    call_command("partitions", "--move-default")

    assert "1 payments moved" in capsys.readouterr().out
    assert count("payments_default") == 0
    assert count("payments_2033_05") == 1


def test_the_staging_table_is_made_once() -> None:
    assert create_staging_table() is False


def test_the_staging_table_is_the_seeds_to_the_letter() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select attname, format_type(atttypid, atttypmod), attnotnull
            from pg_attribute where attrelid = 'payment_staging'::regclass and attnum > 0 order by attnum
            """
        )
        assert cursor.fetchall() == [
            ("id", "bigint", True),
            ("reference_number", "character varying(255)", True),
            ("loan_account_number", "character varying(20)", True),
            ("cif", "character varying(20)", True),
            ("amount", "numeric(15,2)", True),
            ("payment_date", "timestamp without time zone", True),
            ("payment_channel", "character varying(100)", False),
            ("metadata", "jsonb", False),
            ("processed", "boolean", False),
            ("processed_at", "timestamp without time zone", False),
            ("created_at", "timestamp without time zone", False),
        ]
        cursor.execute("select count(*) from pg_indexes where tablename = 'payment_staging'")
        assert cursor.fetchone() == (1,)
