"""Months are archived while payments of the same months arrive: nothing is lost, nothing falls beside its month."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from kernel.transactions import unit_of_work
from payments.models import PartitionArchive, Payment, PaymentReference
from payments.notices import PaymentNotice
from payments.operations import archiving
from payments.operations.archiving import MonthBusy, carry_out, detach_month
from payments.operations.recording import record_notice
from payments.operations.staging import record_chunk
from payments.partitioning import PAYMENT_PARTITIONS, ensure_known, is_archived_month, known_months, move_stray_payments
from payments.states import PaymentSource
from tests.payments.archives import ACTOR, LEAP_DAY, OLD, an_old_month, archive_it, rows_of, table_names, the_plan
from tests.payments.recorded import notice
from tests.payments.staged import a_row, prepare_staging, stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]
LATE = LEAP_DAY - timedelta(days=3)


def in_threads(*works: Callable[[], None]) -> None:
    def with_own_connection(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=with_own_connection, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def late(reference: str) -> PaymentNotice:
    return notice(reference, payment_date=LATE)


def believe_in_the_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process goes on believing that the old month is attached, as one does that looked a moment ago."""
    ensure_known([OLD])
    monkeypatch.setattr(known_months, "_trusted_until", float("inf"))
    monkeypatch.setattr(known_months, "refresh", lambda: None)


def test_a_process_that_still_believes_in_the_month_writes_nothing_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    an_old_month(2)
    believe_in_the_month(monkeypatch)
    archive_it()

    with pytest.raises(OperationalError) as refusal:
        record_notice(late("LATE"), source=PaymentSource.MANUAL, at=timezone.now())

    assert is_archived_month(refusal.value)
    assert PAYMENT_PARTITIONS.default_rows() == 0
    assert not PaymentReference.objects.filter(pk="LATE").exists()


def test_a_staged_chunk_that_believes_in_the_month_is_undone_whole_and_recorded_on_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare_staging()
    an_old_month(2)
    stage(a_row("NEW"), a_row("LATE", payment_date=LATE.replace(tzinfo=None)))
    with monkeypatch.context() as believing:
        believe_in_the_month(believing)
        archive_it()
        with pytest.raises(OperationalError) as refusal:
            record_chunk(batch_size=10, after_id=-1, attempt=1, at=timezone.now())
    assert is_archived_month(refusal.value)
    assert PAYMENT_PARTITIONS.default_rows() == Payment.objects.count() == 0

    known_months.refresh()
    ensure_known([OLD])
    chunk = record_chunk(batch_size=10, after_id=-1, attempt=2, at=timezone.now())

    assert chunk is not None
    assert chunk.recorded + chunk.rejected == 2
    assert PAYMENT_PARTITIONS.default_rows() == 0


def test_what_is_known_is_looked_at_again_within_moments_while_old_months_are_attached() -> None:
    an_old_month(1)
    ensure_known([OLD])
    with transaction.atomic(), connection.cursor() as cursor:
        # As another process takes it out.
        cursor.execute("alter table payments detach partition payments_2024_02")
        cursor.execute("alter table payments_2024_02 rename to payments_detached_2024_02")

    waited = threading.Event()
    for _ in range(100):
        if not known_months.includes(OLD):
            break
        waited.wait(0.02)

    assert not known_months.includes(OLD)
    assert "20240201" not in known_months.ranges()


def test_other_errors_of_the_database_are_not_taken_for_an_archived_month() -> None:
    with pytest.raises(OperationalError) as refusal, connection.cursor() as cursor:
        cursor.execute("do $$ begin raise serialization_failure; end $$")

    assert not is_archived_month(refusal.value)


def test_the_guard_of_the_default_partition_outlives_its_renewal() -> None:
    an_old_month(1)
    archive_it()

    move_stray_payments()

    with pytest.raises(OperationalError) as refusal, connection.cursor() as cursor:
        cursor.execute(
            "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date, "
            "source) values (gen_random_uuid(), 'R', 'LN1', 'C1', 5, 'CAD', %s, 'manual')",
            [LATE],
        )
    assert is_archived_month(refusal.value)


def test_payments_that_arrive_while_their_month_is_taken_out_are_each_there_once() -> None:
    an_old_month(40)
    recorded: list[str] = []
    start, archived = threading.Barrier(4), threading.Event()

    def record_many(name: str) -> None:
        start.wait()
        number = 0
        while not archived.is_set() or number < 30:
            number += 1
            reference = f"LATE-{name}-{number}"
            while True:
                try:
                    record_notice(late(reference), source=PaymentSource.MANUAL, at=LATE + timedelta(days=2))
                    break
                except OperationalError as error:
                    if not is_archived_month(error):
                        raise
                    known_months.refresh()
            recorded.append(reference)

    def archive() -> None:
        start.wait()
        try:
            # Its look is old already: of the late payments it has seen none.
            carry_out(plan, actor=ACTOR, clock=timezone.now)
        finally:
            archived.set()

    plan = the_plan()
    in_threads(archive, *[lambda name=name: record_many(name) for name in "abc"])

    assert PAYMENT_PARTITIONS.default_rows() == 0
    first = PartitionArchive.objects.get()
    in_file = first.read_manifest().figures.rows
    assert in_file + Payment.objects.count() == 40 + len(recorded)
    assert PaymentReference.objects.filter(pk__startswith="LATE-").count() == len(recorded)
    assert len(recorded) >= 90


def test_a_table_that_writers_keep_busy_is_left_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    an_old_month(2)
    plan = the_plan()
    monkeypatch.setattr(archiving, "DETACH_ATTEMPTS", 2)
    monkeypatch.setattr(archiving, "PAUSE_SECONDS", (0.0, 0.01))
    holding, release = threading.Event(), threading.Event()

    def hold_the_table() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("lock table payments in row exclusive mode")
            holding.set()
            release.wait(30)

    failures: list[Any] = []

    def try_to_archive() -> None:
        holding.wait(30)
        try:
            carry_out(plan, actor=ACTOR, clock=timezone.now)
        except MonthBusy as busy:
            failures.append(busy)
        finally:
            release.set()

    in_threads(hold_the_table, try_to_archive)

    assert [type(failure) for failure in failures] == [MonthBusy]
    assert OLD in PAYMENT_PARTITIONS.months()
    assert PartitionArchive.objects.count() == 0
    assert archive_it().status == "archived"


def test_a_row_that_is_not_committed_yet_is_waited_for_and_goes_with_its_month() -> None:
    an_old_month(2)
    plan = the_plan()
    inserted = threading.Event()

    def insert_slowly() -> None:
        @unit_of_work
        def insert() -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, "
                    "payment_date, source, created_at) "
                    "values (gen_random_uuid(), 'SLOW', 'LN1', 'C1', 5, 'CAD', %s, 'manual', %s)",
                    [LATE, LATE],
                )
                inserted.set()
                cursor.execute("select pg_sleep(0.3)")

        insert()

    def detach() -> None:
        inserted.wait(30)
        detach_month(plan, actor=ACTOR, clock=timezone.now)

    in_threads(insert_slowly, detach)

    assert table_names() == {"payments_detached_2024_02"}
    assert len(rows_of("payments_detached_2024_02")) == 3


def test_two_runs_at_once_archive_the_month_once() -> None:
    an_old_month(5)
    plan = the_plan()
    finished: list[Any] = []
    start = threading.Barrier(2)

    def archive() -> None:
        start.wait()
        try:
            finished.append(carry_out(plan, actor=ACTOR, clock=timezone.now).status)
        except Exception as error:
            finished.append(type(error))

    in_threads(archive, archive)

    assert finished.count("archived") == 1
    assert PartitionArchive.objects.get().read_manifest().figures.rows == 5
