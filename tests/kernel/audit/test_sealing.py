from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry, AuditSeal
from kernel.audit.operations import record_entry
from kernel.audit.sealing import SEALER_LOCK, seal_all
from kernel.audit.verification import Fault, Finding, verify_chain
from kernel.transactions import unit_of_work

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


@unit_of_work
def record(count: int = 1, *, at: datetime = AT) -> list[int]:
    return [
        record_entry(actor=Actor.system("test"), action="thing.changed", subject=("demo.thing", str(n)), at=at).pk
        for n in range(count)
    ]


def tamper(statement: str, *parameters: int | str | bytes | datetime | list[int]) -> None:
    """What somebody with the database's own password could do: the triggers are asleep for it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement, list(parameters))


def later(**ago: int) -> datetime:
    return AT + timedelta(**ago)


def test_every_entry_is_sealed_once() -> None:
    record(7)

    assert (seal_all(at=AT, batch_limit=3), seal_all(at=AT)) == (7, 0)
    assert list(AuditSeal.objects.order_by("sequence").values_list("sequence", "entry_count")) == [
        (1, 3),
        (2, 3),
        (3, 1),
    ]
    assert verify_chain(later(days=1)).findings == ()
    assert verify_chain(later(days=1)).rows == 7


def test_nothing_to_seal_adds_no_seal() -> None:
    assert seal_all(at=AT) == 0
    assert AuditSeal.objects.count() == 0
    assert verify_chain(AT).is_sound


def test_an_entry_that_commits_late_under_a_lower_number_is_sealed_by_the_next_run() -> None:
    first_written = threading.Event()
    may_commit = threading.Event()
    late: list[int] = []

    @unit_of_work
    def slow_writer() -> None:
        late.append(
            record_entry(actor=Actor.system("slow"), action="thing.changed", subject=("demo.thing", "1"), at=AT).pk
        )
        first_written.set()
        assert may_commit.wait(10)

    def run() -> None:
        try:
            slow_writer()
        finally:
            connection.close()

    writer = threading.Thread(target=run)
    writer.start()
    assert first_written.wait(10)
    (early,) = record()
    sealed_while_open = seal_all(at=AT)
    may_commit.set()
    writer.join()

    assert (sealed_while_open, seal_all(at=later(seconds=5)), early > late[0]) == (1, 1, True)
    assert AuditSeal.objects.get(sequence=2).positions == f"{{[{late[0]},{late[0] + 1})}}"
    assert verify_chain(later(days=1)).is_sound


def insert_in_gap(position: int) -> None:
    tamper(
        "insert into audit_entry (id, recorded_at, actor, actor_kind, action, object_type, object_id, object_label,"
        " reason, request_id) values (%s, %s, 'x', 'system', 'a', 't', '1', '', '', '')",
        position,
        AT,
    )


def test_a_row_that_filled_a_gap_while_no_sealer_ran_is_sealed_however_late() -> None:
    ids = record(3)
    tamper("delete from audit_entry where id = %s", ids[1])
    seal_all(at=AT)
    insert_in_gap(ids[1])

    assert seal_all(at=later(hours=2)) == 1
    assert verify_chain(later(hours=2)).is_sound


def test_a_row_below_the_floor_is_never_sealed_by_itself_but_reported_until_swept() -> None:
    ids = record(3)
    tamper("delete from audit_entry where id = %s", ids[1])
    seal_all(at=AT)
    record(1, at=later(hours=2))
    seal_all(at=later(hours=2))
    insert_in_gap(ids[1])

    assert seal_all(at=later(hours=4)) == 0
    assert verify_chain(later(hours=4)).findings == (Finding(Fault.UNSEALED, "audit_entry", ids[1]),)
    assert seal_all(at=later(hours=4), sweep=True) == 1
    assert verify_chain(later(hours=4)).is_sound


def test_a_row_that_waits_too_long_for_its_seal_is_reported() -> None:
    (entry,) = record()

    assert verify_chain(later(minutes=4)).is_sound
    assert verify_chain(later(minutes=6)).findings == (Finding(Fault.UNSEALED, "audit_entry", entry),)


@pytest.mark.parametrize(
    ("column", "value"),
    [("reason", "x"), ("actor", "tesT"), ("object_id", "3 "), ("recorded_at", "2026-03-02 10:00:00.000001+00")],
)
def test_one_altered_byte_is_reported_with_its_position(column: str, value: str) -> None:
    ids = record(50)
    seal_all(at=AT, batch_limit=20)
    tamper(f"update audit_entry set {column} = %s where id = %s", value, ids[27])

    assert verify_chain(AT).findings == (Finding(Fault.ALTERED, "audit_entry", ids[27]),)


def test_a_json_null_in_place_of_nothing_is_an_alteration() -> None:
    ids = record(2)
    seal_all(at=AT)
    tamper("update audit_entry set before = 'null'::jsonb where id = %s", ids[0])

    assert verify_chain(AT).findings == (Finding(Fault.ALTERED, "audit_entry", ids[0]),)


def test_a_missing_row_is_reported_with_its_position() -> None:
    ids = record(10)
    seal_all(at=AT)
    tamper("delete from audit_entry where id = any(%s)", [ids[4], ids[6]])

    assert verify_chain(AT).findings == (
        Finding(Fault.MISSING, "audit_entry", ids[4]),
        Finding(Fault.MISSING, "audit_entry", ids[6]),
    )


def test_a_rewritten_seal_breaks_the_chain() -> None:
    ids = record(4)
    seal_all(at=AT, batch_limit=2)
    tamper("update audit_entry set reason = 'x' where id = %s", ids[0])
    tamper(
        "update audit_seal set content_digest = (select content_digest from audit_seal where sequence = 2)"
        " where sequence = 1"
    )

    findings = verify_chain(AT).findings

    assert findings[0] == Finding(Fault.BROKEN, "audit_entry", 1)
    assert Finding(Fault.ALTERED, "audit_entry", ids[0]) in findings


def test_a_seal_taken_out_of_the_middle_breaks_the_chain() -> None:
    record(6)
    seal_all(at=AT, batch_limit=2)
    tamper("delete from audit_seal where sequence = 2")

    assert verify_chain(AT).findings[0] == Finding(Fault.BROKEN, "audit_entry", 3)


def test_a_second_sealer_leaves_the_work_to_the_first() -> None:
    record(3)
    locked, may_end = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("select pg_advisory_xact_lock(%s)", [SEALER_LOCK])
                locked.set()
                assert may_end.wait(10)
        finally:
            connection.close()

    other = threading.Thread(target=hold_the_lock)
    other.start()
    assert locked.wait(10)
    meanwhile = seal_all(at=AT)
    may_end.set()
    other.join()

    assert (meanwhile, seal_all(at=AT)) == (0, 3)


def test_four_sealers_beside_four_writers_seal_every_row_exactly_once() -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        for _ in range(15):
            record(4)

    def keep_sealing() -> None:
        while not stop.is_set():
            seal_all(at=AT, batch_limit=7)

    def guarded(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    writers = [threading.Thread(target=guarded, args=[write]) for _ in range(4)]
    sealers = [threading.Thread(target=guarded, args=[keep_sealing]) for _ in range(4)]
    for thread in writers + sealers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    seal_all(at=AT)

    verification = verify_chain(later(days=1))
    assert failures == []
    assert verification.findings == ()
    assert verification.rows == AuditEntry.objects.count() == 240


def test_the_command_says_which_row_and_exits_with_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    ids = record(3)
    call_command("seal_audit")
    call_command("verify_audit")
    assert "Nothing was altered" in capsys.readouterr().out
    tamper("update audit_entry set reason = 'x' where id = %s", ids[1])

    with pytest.raises(CommandError, match=f"audit_entry {ids[1]} was altered"):
        call_command("verify_audit")
