"""Old months leave the database by a verified file, one step at a time, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.utils import timezone

from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from kernel.jobs.operations import run_now
from kernel.partitions import StillAttached
from kernel.periods import Month
from kernel.transactions import unit_of_work
from payments.archivefile import ArchiveDamaged
from payments.archivemodels import ArchiveNotInThatStatus
from payments.models import PartitionArchive
from payments.operations import archiving
from payments.operations.archivetables import figures_of
from payments.operations.archiving import (
    ArchiveFolderUnusable,
    MonthHeld,
    MonthNotDue,
    MonthNotThere,
    carry_out,
    detach_month,
    drop_archived,
    plans,
    verify_archive,
    write_archive,
)
from payments.partitioning import PAYMENT_PARTITIONS, month_of
from payments.states import ARCHIVE_MOVES, ArchiveStatus
from payments.tasks import archive_partitions
from tests.payments.archives import (
    ACTOR,
    LEAP_DAY,
    OLD,
    an_old_month,
    archive_it,
    record_at,
    release,
    rows_of,
    table_names,
    the_plan,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]


def run(**parameters: Any) -> list[dict[str, Any]]:
    months: list[dict[str, Any]] = run_now("archive_partitions", actor=ACTOR, parameters=parameters)["months"]
    return months


def at_step(step: ArchiveStatus) -> PartitionArchive:
    """The old month's archive, brought as far as this."""
    archive = detach_month(the_plan(), actor=ACTOR, clock=timezone.now)
    if step in (ArchiveStatus.WRITTEN, ArchiveStatus.VERIFIED):
        write_archive(archive.pk, ACTOR, timezone.now)
    if step == ArchiveStatus.VERIFIED:
        verify_archive(archive.pk, ACTOR, timezone.now)
    return PartitionArchive.objects.get(pk=archive.pk)


def test_an_old_month_ends_in_a_verified_file_and_leaves_the_database(archive_folder: Path) -> None:
    an_old_month(5)

    archive = archive_it()

    assert (archive.status, archive.part) == (ArchiveStatus.ARCHIVED, 1)
    assert sorted(path.name for path in archive_folder.iterdir()) == [
        "payments_2024_02.tsv.gz",
        "payments_2024_02.tsv.gz.manifest.json",
    ]
    figures = archive.read_manifest().figures
    assert figures.rows == 5
    assert {currency: str(amount) for currency, amount in figures.amounts.items()} == {"CAD": "48.20", "USD": "12.05"}
    assert (figures.oldest, figures.newest) == (LEAP_DAY - timedelta(hours=4), LEAP_DAY)
    assert table_names() == set()
    assert [entry.action for entry in AuditEntry.objects.about(archive).order_by("id")] == [
        "archive.detached",
        "archive.dropped",
    ]


def test_a_rehearsal_shows_exactly_what_the_run_then_does_and_changes_nothing(archive_folder: Path) -> None:
    an_old_month(4)
    record_at("HELD", LEAP_DAY - timedelta(days=40))
    before = rows_of("payments")

    rehearsed = run(rehearse=True)

    assert [(month["month"], month["decision"], month["rows"]) for month in rehearsed] == [
        ("2024-01", "held", 1),
        ("2024-02", "archive", 4),
    ]
    assert rows_of("payments") == before
    assert not archive_folder.exists()
    assert PartitionArchive.objects.count() == AuditEntry.objects.count() == 0
    assert run() == rehearsed
    assert [archive.label for archive in PartitionArchive.objects.all()] == ["2024-02"]
    assert run(rehearse=True) == rehearsed[:1]


def test_months_within_the_retention_stay(settings: Any) -> None:
    an_old_month(1)
    kept = month_of(timezone.now()).plus(-settings.PARTITION_RETENTION_MONTHS)
    unit_of_work(PAYMENT_PARTITIONS.ensure)([kept, kept.previous()])

    assert f"{kept.first_on:%Y-%m}" not in [month["month"] for month in run(rehearse=True)]
    assert f"{kept.previous().first_on:%Y-%m}" in [month["month"] for month in run(rehearse=True)]
    with pytest.raises(MonthNotDue, match=f"{kept.first_on:%Y-%m}"):
        run(month=kept.label)
    with pytest.raises(MonthNotThere):
        run(month="1999_01")


def test_one_month_can_be_named_and_the_others_stay() -> None:
    an_old_month(1)
    record_at("EARLIER", LEAP_DAY - timedelta(days=40))
    release()

    assert [month["month"] for month in run(month="2024_02")] == ["2024-02"]
    assert Month.parse("2024_01") in PAYMENT_PARTITIONS.months()


CRASHES: tuple[tuple[str, str], ...] = (
    ("_detach", "DETACHED"),
    ("_write_files", "DETACHED"),
    ("manifest_path", "DETACHED"),
    ("_mark_written", "DETACHED"),
    ("check_bytes", "WRITTEN"),
    ("_compare_with_table", "WRITTEN"),
    ("_mark_verified", "WRITTEN"),
    ("_drop", "VERIFIED"),
)


class Crashed(BaseException):
    """What ends a process: nothing of ours catches it."""


@pytest.mark.parametrize(("function", "status"), CRASHES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_step_leaves_what_the_next_run_goes_on_from(
    monkeypatch: pytest.MonkeyPatch, archive_folder: Path, function: str, status: str, when: str
) -> None:
    an_old_month(5)
    expected = [row[:-1] for row in rows_of("payments_2024_02")]
    whole = getattr(archiving, function)

    def crash(*args: Any, **options: Any) -> Any:
        if when == "after":
            whole(*args, **options)
        raise Crashed

    plan = the_plan()
    monkeypatch.setattr(archiving, function, crash)
    with pytest.raises(Crashed):
        carry_out(plan, actor=ACTOR, clock=timezone.now)
    monkeypatch.setattr(archiving, function, whole)

    left = PartitionArchive.objects.first()
    dropped = function == "_drop" and when == "after"
    if not dropped:
        (table,) = table_names()
        assert [row[:-1] for row in rows_of(table)] == expected
    if not (function == "_detach" and when == "before"):
        assert left is not None
        advanced = {"_mark_written": "WRITTEN", "_mark_verified": "VERIFIED", "_drop": "ARCHIVED"}
        assert left.status == ArchiveStatus[advanced.get(function, status) if when == "after" else status]

    months = run()

    archive = PartitionArchive.objects.get()
    assert archive.status == ArchiveStatus.ARCHIVED
    assert [month["rows"] for month in months] == ([] if dropped else [5])
    assert archive.read_manifest().figures.rows == 5
    assert table_names() == set()
    assert len(list(archive_folder.iterdir())) == 2


def test_nothing_is_dropped_before_it_is_verified() -> None:
    an_old_month(2)
    archive = at_step(ArchiveStatus.WRITTEN)

    with pytest.raises(ArchiveNotInThatStatus):
        drop_archived(archive.pk, ACTOR, timezone.now)

    assert table_names() == {"payments_detached_2024_02"}
    archive.refresh_from_db()
    assert archive.status == ArchiveStatus.WRITTEN


def test_the_database_itself_refuses_an_archive_that_was_dropped_unverified() -> None:
    an_old_month(1)
    archive = at_step(ArchiveStatus.WRITTEN)

    with pytest.raises(IntegrityError, match="partition_archive_dropped_is_verified"):
        PartitionArchive.objects.filter(pk=archive.pk).update(status="archived", dropped_at=timezone.now())


def test_a_partition_in_use_is_never_dropped_by_its_name() -> None:
    an_old_month(1)

    with pytest.raises(StillAttached):
        unit_of_work(PAYMENT_PARTITIONS.drop_detached)("payments_2024_02")

    assert len(rows_of("payments_2024_02")) == 1


@pytest.mark.parametrize("step", [ArchiveStatus.WRITTEN, ArchiveStatus.VERIFIED])
def test_a_file_that_is_damaged_before_the_drop_is_noticed_and_written_anew(step: ArchiveStatus) -> None:
    an_old_month(3)
    archive = at_step(step)
    content = archive.file_path.read_bytes()
    archive.file_path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])

    with pytest.raises(ArchiveDamaged, match="SHA-256"):
        run()

    archive.refresh_from_db()
    assert (archive.status, archive.manifest, archive.verified_at) == (ArchiveStatus.DETACHED, None, None)
    assert "SHA-256" in archive.last_error
    assert len(rows_of("payments_detached_2024_02")) == 3
    run()
    archive.refresh_from_db()
    assert (archive.status, archive.last_error) == (ArchiveStatus.ARCHIVED, "")
    assert archive.file_path.read_bytes() == content


def test_a_file_that_is_whole_but_not_the_table_is_refused() -> None:
    an_old_month(3)
    archive = at_step(ArchiveStatus.WRITTEN)
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute("update payments_detached_2024_02 set cif = 'OTHER' where reference_number = 'OLD-1'")
        cursor.execute("set session_replication_role = origin")

    with pytest.raises(ArchiveDamaged, match="sha256"):
        verify_archive(archive.pk, ACTOR, timezone.now)

    assert table_names() == {"payments_detached_2024_02"}


def test_a_folder_that_cannot_be_written_is_said_and_the_table_waits(settings: Any, tmp_path: Path) -> None:
    an_old_month(2)
    in_the_way = tmp_path / "a-file"
    in_the_way.write_text("")
    settings.ARCHIVE_FOLDER = in_the_way

    with pytest.raises(ArchiveFolderUnusable, match="a-file"):
        run()

    assert JobRun.objects.get().status == "failed"
    assert "a-file" in PartitionArchive.objects.get().last_error
    assert len(rows_of("payments_detached_2024_02")) == 2
    settings.ARCHIVE_FOLDER = tmp_path / "elsewhere"
    assert [month["decision"] for month in run()] == ["continue"]
    assert PartitionArchive.objects.get().status == ArchiveStatus.ARCHIVED


@pytest.mark.parametrize(
    "statement",
    [
        "update payments_detached_2024_02 set amount = 1",
        "delete from payments_detached_2024_02",
        "truncate payments_detached_2024_02",
        "insert into payments_detached_2024_02 select * from payments_detached_2024_02",
    ],
)
def test_a_detached_month_cannot_be_changed_in_any_way(statement: str) -> None:
    an_old_month(2)
    at_step(ArchiveStatus.DETACHED)

    with pytest.raises(DatabaseError, match=r"only (read|ever added)"), connection.cursor() as cursor:
        cursor.execute(statement)

    assert len(rows_of("payments_detached_2024_02")) == 2


def test_a_payment_that_came_after_the_look_keeps_the_month_where_it_is() -> None:
    an_old_month(2)
    plan = the_plan()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date, "
            "source, created_at) values (gen_random_uuid(), 'LATE', 'LN1', 'C1', 5, 'CAD', %s, 'manual', %s)",
            [LEAP_DAY, timezone.now()],
        )

    with pytest.raises(MonthHeld, match="within the last hour"):
        carry_out(plan, actor=ACTOR, clock=timezone.now)

    assert OLD in PAYMENT_PARTITIONS.months()
    assert PartitionArchive.objects.count() == 0


def test_an_empty_month_is_archived_like_any_other() -> None:
    unit_of_work(PAYMENT_PARTITIONS.ensure)([OLD])

    archive = archive_it()

    assert archive.read_manifest().figures == figures_like_nothing()
    assert table_names() == set()


def figures_like_nothing() -> Any:
    unit_of_work(PAYMENT_PARTITIONS.ensure)([Month.parse("2024_01")])
    return figures_of("payments_2024_01")


def test_the_daily_tick_archives_and_stays_quiet_beside_a_run_that_is_at_work() -> None:
    an_old_month(1)
    JobRun.objects.create(
        name="archive_partitions",
        requested_by="x",
        exclusive=True,
        status="running",
        status_since=timezone.now(),
        queued_at=timezone.now(),
        heartbeat_at=timezone.now(),
    )
    archive_partitions()
    assert PartitionArchive.objects.count() == 0

    JobRun.objects.all().delete()
    archive_partitions()
    assert PartitionArchive.objects.get().status == ArchiveStatus.ARCHIVED


@pytest.mark.parametrize("status", list(ArchiveStatus))
def test_an_archive_moves_only_as_the_table_of_moves_says(status: ArchiveStatus) -> None:
    at: datetime = timezone.now()
    for target in ArchiveStatus:
        archive = PartitionArchive(month=OLD.first_on, part=1, status=status)
        move: Callable[[], None] = lambda: archive._move_to(target, at=at)  # noqa: B023, E731 - called at once
        if target in ARCHIVE_MOVES[status]:
            move()
            assert (archive.status, archive.status_since) == (target, at)
        else:
            with pytest.raises(ArchiveNotInThatStatus):
                move()
            assert archive.status == status


def test_a_plan_is_made_for_due_months_and_for_unfinished_archives_first() -> None:
    an_old_month(1)
    at_step(ArchiveStatus.WRITTEN)
    unit_of_work(PAYMENT_PARTITIONS.ensure)([Month.parse("2023_01")])

    assert [(plan.month.label, plan.decision) for plan in plans(clock=timezone.now)][:2] == [
        ("2024_02", "continue"),
        ("2023_01", "archive"),
    ]
