"""References leave the gate for the history, and are refused all the same, whatever happens at that moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from kernel.errors import Conflict
from kernel.invariants.operations import _snapshot
from payments.deduplication import forget_all
from payments.models import ReferenceConflict
from payments.operations import references
from payments.operations.references import (
    GateBusy,
    ReferenceWithoutPayment,
    RotationRunning,
    exchange_generations,
    merge_chunk,
    plan_rotation,
    rotate_references,
)
from payments.partitioning import ensure_partitions_ahead, known_months
from payments.states import Outcome
from tests.payments.recorded import AT, notice, record
from tests.payments.staged import AT as STAGED_AT
from tests.payments.staged import a_row, count, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)

TTL = timedelta(days=90)
TABLES = ("payment_references", "payment_references_previous", "payment_references_history")


@pytest.fixture(autouse=True)
def _partitions() -> None:
    known_months.refresh()
    ensure_partitions_ahead(at=AT)


def sizes() -> tuple[int, ...]:
    return tuple(count(table) for table in TABLES)


def turn_over(times: int = 1, *, at: datetime = AT) -> datetime:
    """Turns the gate over as often as asked, each time after the references in it have grown old enough."""
    for _ in range(times):
        at += TTL + timedelta(days=1)
        assert rotate_references(at=at).is_due
    return at


def test_nothing_moves_before_it_is_old_enough() -> None:
    record("R1")

    plan = rotate_references(at=AT + TTL)

    assert (plan.is_due, plan.to_merge, plan.to_move) == (False, 0, 1)
    assert sizes() == (1, 0, 0)


def test_a_reference_goes_through_the_generations_into_the_history() -> None:
    record("R1")
    seen = [sizes()]
    at = AT
    for generation in (2, 3, 4):
        at = turn_over(at=at)
        record_at(f"R{generation}", at)
        seen.append(sizes())

    assert seen == [(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 2)]


def record_at(reference: str, at: datetime) -> None:
    from payments.operations.recording import record_notice
    from payments.states import PaymentSource

    record_notice(notice(reference), source=PaymentSource.MANUAL, at=at)


def test_an_earlier_generation_that_is_still_young_is_kept() -> None:
    record("R1")
    at = turn_over()
    record_at("R2", AT + TTL + timedelta(hours=1))
    with connection.cursor() as cursor:
        # As after a TTL that was raised: the gate's oldest is old enough, the earlier generation's newest is not.
        cursor.execute("update payment_references_previous set created_at = %s", [at + timedelta(days=80)])

    plan = rotate_references(at=at + TTL + timedelta(days=1))

    assert not plan.is_due
    assert sizes() == (1, 1, 0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_same_payment_is_still_a_duplicate_of_the_first(turns: int) -> None:
    first = record("R1")
    at = AT
    for turn in range(turns):
        at = turn_over(at=at)
        record_at(f"LATER-{turn}", at)

    again = record("R1")

    assert (again.outcome, again.payment_id, again.payment_date) == (Outcome.DUPLICATE, first.payment_id, AT)
    assert count("payments") == count("outbox_event") == 1 + turns
    assert sum(sizes()) == 1 + turns


@pytest.mark.parametrize("turns", [1, 2])
def test_another_content_is_still_a_conflict_with_the_difference(turns: int) -> None:
    first = record("R1")
    at = AT
    for turn in range(turns):
        at = turn_over(at=at)
        record_at(f"LATER-{turn}", at)

    other = record("R1", amount=Decimal("99.00"))

    assert (other.outcome, other.payment_id) == (Outcome.CONFLICT, first.payment_id)
    assert other.difference == ({"field": "amount", "recorded": "12.30", "received": "99.00"},)
    assert ReferenceConflict.objects.get().reference_number == "R1"
    assert count("payments") == 1 + turns


def test_a_payment_that_lies_in_an_archive_is_compared_by_its_digest() -> None:
    first = record("R1")
    at = turn_over()
    record_at("LATER", at)
    turn_over(at=at)
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute("delete from payments where reference_number = 'R1'")
        cursor.execute("set session_replication_role = origin")

    same, other = record("R1"), record("R1", cif="CIF2")

    assert (same.outcome, same.payment_id, same.payment_date) == (Outcome.DUPLICATE, first.payment_id, AT)
    assert (other.outcome, other.payment_id) == (Outcome.CONFLICT, first.payment_id)
    (difference,) = other.difference
    assert difference["field"] == "content"
    assert difference["recorded"] != difference["received"]
    assert count("payments", "reference_number = 'R1'") == 0


def test_staged_rows_of_every_generation_are_duplicates_and_conflicts() -> None:
    prepare_staging()
    from payments.operations.staging import record_chunk

    def chunk(at: datetime) -> Any:
        return record_chunk(batch_size=100, after_id=0, attempt=1, at=at)

    stage(a_row("OLD"))
    chunk(STAGED_AT)
    at = turn_over(at=STAGED_AT)
    record_at("MIDDLE", at)
    turn_over(at=at)
    stage(a_row("OLD"), a_row("OLD", amount="1.00"), a_row("NEW"), a_row("NEW"))

    done = chunk(STAGED_AT + timedelta(hours=1))

    assert (done.recorded, done.duplicates, done.conflicts) == (1, 2, 1)
    assert sizes() == (1, 1, 1)
    assert count("payments", "reference_number = 'OLD'") == 1


def test_the_gate_keeps_its_indexes_and_refuses_twins_after_every_turn() -> None:
    def definitions() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "select tablename, indexdef from pg_indexes where tablename = any(%s) order by 1, 2", [list(TABLES)]
            )
            return cursor.fetchall()

    before = definitions()
    record("R1")
    turn_over()
    assert definitions() == before
    record_at("R2", AT + 2 * TTL)
    turn_over(at=AT + 2 * TTL)
    assert definitions() == before
    assert len(before) == 6


def test_a_merge_that_was_cut_short_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        record(f"R{number:02}")
    at = turn_over()
    record_at("LATER", at)
    monkeypatch.setattr(references, "CHUNK", 10)

    def cancel(merged: int) -> None:
        raise Conflict("cancelled")

    with pytest.raises(Conflict, match="cancelled"):
        rotate_references(at=at + TTL + timedelta(days=1), on_merged=cancel)
    assert sizes() == (1, 25, 10)
    assert record("R03").outcome is record("R24").outcome is Outcome.DUPLICATE

    steps: list[int] = []
    rotate_references(at=at + TTL + timedelta(days=1), on_merged=steps.append)

    assert steps == [10, 20, 25]
    assert sizes() == (0, 1, 25)


def test_references_whose_payment_is_missing_are_not_let_go() -> None:
    record("R1")
    record("R2")
    at = turn_over()
    record_at("LATER", at)
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute("delete from payments where reference_number = 'R1'")
        cursor.execute("set session_replication_role = origin")

    with pytest.raises(ReferenceWithoutPayment, match="1 references"):
        rotate_references(at=at + TTL + timedelta(days=1))

    assert sizes() == (1, 2, 1)


def test_only_one_session_turns_the_gate_over() -> None:
    record("R1")

    def other() -> None:
        try:
            rotate_references(at=AT + TTL + timedelta(days=1))
        finally:
            connection.close()

    with references._sole_rotation(), ThreadPoolExecutor(1) as pool, pytest.raises(RotationRunning):
        pool.submit(other).result(30)
    assert sizes() == (1, 0, 0)


def test_a_gate_that_is_in_use_is_left_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    record("R1")
    monkeypatch.setattr(references, "SHUT_ATTEMPTS", 2)
    monkeypatch.setattr(references, "PAUSE_SECONDS", 0.01)
    holding, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("select count(*) from payment_references")
                holding.set()
                assert may_go.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holding.wait(30)
        with pytest.raises(GateBusy):
            rotate_references(at=AT + TTL + timedelta(days=1))
        may_go.set()
        held.result(30)

    assert sizes() == (1, 0, 0)
    assert rotate_references(at=AT + TTL + timedelta(days=1)).is_due


def test_the_gate_is_not_turned_over_beneath_a_long_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    record("R1")
    monkeypatch.setattr(references, "SHUT_ATTEMPTS", 1)

    def turn() -> None:
        try:
            with pytest.raises(GateBusy):
                rotate_references(at=AT + TTL + timedelta(days=1))
        finally:
            connection.close()

    with _snapshot(), ThreadPoolExecutor(1) as pool:
        pool.submit(turn).result(30)
        assert sizes() == (1, 0, 0)

    assert rotate_references(at=AT + TTL + timedelta(days=1)).is_due
    assert sizes() == (0, 1, 0)


def test_no_reference_slips_through_while_generations_change() -> None:
    """Eight sessions record the same references over and over while the gate is turned over beneath them."""
    names = [f"R{number}" for number in range(40)]
    stop = threading.Event()
    first_ids: dict[str, set[Any]] = {name: set() for name in names}
    created: list[str] = []
    lock = threading.Lock()

    def hammer(seed: int) -> int:
        rounds = 0
        try:
            while not stop.is_set() or rounds < 3:
                for name in names[seed * 5 :] + names[: seed * 5]:
                    forget_all()
                    recording = record(name)
                    with lock:
                        first_ids[name].add(recording.payment_id)
                        if recording.is_new:
                            created.append(name)
                rounds += 1
        finally:
            connection.close()
        return rounds

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(hammer, seed) for seed in range(8)]
        try:
            for _ in range(30):
                merge_all()
                attempt(exchange_generations)
        finally:
            stop.set()
        assert all(future.result(120) >= 3 for future in futures)

    assert sorted(created) == sorted(names)
    assert all(len(ids) == 1 for ids in first_ids.values())
    assert count("payments") == count("outbox_event") == 40
    with connection.cursor() as cursor:
        cursor.execute(" union ".join(f"select reference_number from {table}" for table in TABLES))
        assert len(cursor.fetchall()) == 40


def merge_all() -> None:
    after: str | None = ""
    while after is not None:
        after, _ = merge_chunk(after)


def attempt(work: Callable[[], None]) -> None:
    from django.db import OperationalError

    for _ in range(200):
        try:
            work()
        except OperationalError:
            continue
        return
    raise AssertionError("The gate was never free.")


def test_the_command_says_what_would_be_done_and_then_does_it(settings: Settings) -> None:
    record("R1")
    settings.REFERENCE_CACHE_TTL_DAYS = 1

    def said(*options: str) -> str:
        out = StringIO()
        call_command("rotate_references", *options, stdout=out)
        return out.getvalue().strip()

    # The payment was recorded at AT, days before the clock that the command reads.
    assert said("--rehearse") == "0 references would be merged into the history, 1 would move out of the gate."
    assert sizes() == (1, 0, 0)
    assert said() == "0 references merged into the history, 1 moved out of the gate."
    assert sizes() == (0, 1, 0)
    assert said() == "Not due: the gate holds 0 references."


def test_the_plan_reads_and_changes_nothing() -> None:
    record("R1")

    plan = plan_rotation(AT + TTL + timedelta(days=1))

    assert (plan.is_due, plan.to_merge, plan.to_move) == (True, 0, 1)
    assert sizes() == (1, 0, 0)
