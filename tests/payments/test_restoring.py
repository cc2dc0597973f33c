"""An archived month comes back row by row as it was, for reading only, or not at all."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from kernel.audit.models import AuditEntry
from kernel.jobs.operations import run_now
from payments.archivefile import ArchiveDamaged, Manifest, manifest_path
from payments.archivemodels import ArchiveNotInThatStatus
from payments.models import Payment
from payments.operations import restoring
from payments.operations.restoring import ArchiveUnknown, archives_of, drop_restored, restore_archive
from payments.partitioning import PAYMENT_PARTITIONS
from payments.partitionlist import found_in_restored
from payments.states import ArchiveStatus
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
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]
RESTORED = "payments_restored_2024_02"


def restore(archive: Any) -> int:
    return restore_archive(archive.pk, actor=ACTOR, reason="a question", at=timezone.now())


def columns_and_types(table: str) -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select column_name, data_type, is_nullable from information_schema.columns where table_name = %s "
            "order by ordinal_position",
            [table],
        )
        return cursor.fetchall()


def test_a_restored_month_equals_the_original_row_by_row() -> None:
    an_old_month(7)
    original, columns = rows_of("payments_2024_02"), columns_and_types("payments_2024_02")
    archive = archive_it()

    assert restore(archive) == 7

    assert rows_of(RESTORED) == original
    assert columns_and_types(RESTORED) == columns
    archive.refresh_from_db()
    assert archive.status == ArchiveStatus.RESTORED
    entry = AuditEntry.objects.about(archive)[0]
    assert (entry.action, entry.reason, entry.after) == (
        "archive.restored",
        "a question",
        {"table": RESTORED, "rows": 7},
    )


def test_a_restored_month_lies_beside_payments_and_not_in_them() -> None:
    an_old_month(2)
    restore(archive_it())

    assert OLD not in PAYMENT_PARTITIONS.months()
    assert Payment.objects.count() == 0


@pytest.mark.parametrize(
    "statement",
    [
        f"update {RESTORED} set amount = 1",
        f"delete from {RESTORED}",
        f"truncate {RESTORED}",
        f"insert into {RESTORED} select * from {RESTORED}",
    ],
)
def test_a_restored_month_can_only_be_read(statement: str) -> None:
    an_old_month(2)
    restore(archive_it())

    with pytest.raises(DatabaseError, match="only read"), connection.cursor() as cursor:
        cursor.execute(statement)

    assert len(rows_of(RESTORED)) == 2


def test_the_restored_copy_is_dropped_again_and_can_come_back() -> None:
    an_old_month(2)
    archive = archive_it()
    restore(archive)

    assert drop_restored(archive.pk, actor=ACTOR, reason="answered", at=timezone.now()) == RESTORED
    assert table_names() == set()
    with pytest.raises(ArchiveNotInThatStatus):
        drop_restored(archive.pk, actor=ACTOR, at=timezone.now())

    assert restore(archive) == 2
    with pytest.raises(ArchiveNotInThatStatus):
        restore(archive)


@pytest.mark.parametrize("damaged", ["file", "manifest"])
def test_a_damaged_archive_is_refused_and_leaves_nothing_behind(damaged: str) -> None:
    an_old_month(3)
    archive = archive_it()
    path = archive.file_path if damaged == "file" else manifest_path(archive.file_path)
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes([content[40] ^ 4]) + content[41:])

    with pytest.raises(ArchiveDamaged, match=path.name):
        restore(archive)

    archive.refresh_from_db()
    assert archive.status == ArchiveStatus.ARCHIVED
    assert table_names() == set()
    path.write_bytes(content)
    assert restore(archive) == 3


@pytest.mark.parametrize("crash", ["refuse_difference", "_create_index"])
def test_a_restore_that_dies_on_the_way_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, crash: str) -> None:
    an_old_month(3)
    archive = archive_it()

    def die(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring, crash, die)
    with pytest.raises(KeyboardInterrupt):
        restore(archive)

    archive.refresh_from_db()
    assert (archive.status, table_names()) == (ArchiveStatus.ARCHIVED, set())


def test_a_month_that_is_not_archived_yet_cannot_be_restored() -> None:
    with pytest.raises(ArchiveUnknown, match="2024-02"):
        archives_of(OLD)


def test_a_manifest_with_a_type_that_is_none_makes_no_table() -> None:
    an_old_month(1)
    archive = archive_it()
    manifest = archive.read_manifest().as_json()
    manifest["columns"][0]["type"] = "uuid); drop table channel; --"
    archive.manifest = manifest
    archive.save()
    manifest_path(archive.file_path).write_bytes(Manifest.from_json(manifest).as_bytes())

    with pytest.raises(ValueError, match="no type"):
        restore(archive)

    assert table_names() == set()


def test_payments_are_found_in_a_restored_month_by_what_is_printed_on_them() -> None:
    an_old_month(3)
    payment = Payment.objects.get(reference_number="OLD-1")
    archive = archive_it()
    restore(archive)

    for term, references in {
        "OLD-1": ["OLD-1"],
        str(payment.pk).upper(): ["OLD-1"],
        "LN1": ["OLD-0", "OLD-1", "OLD-2"],
        "CIF1": ["OLD-0", "OLD-1", "OLD-2"],
        "old-1": [],
    }.items():
        assert [found["reference_number"] for found in found_in_restored(archive, term)] == references


def test_a_late_payment_of_an_archived_month_becomes_part_two_of_it() -> None:
    an_old_month(3)
    archive_it()

    late = record_at("LATE", LEAP_DAY - timedelta(days=3))
    assert late.is_new
    assert table_names() == {"payments_2024_02"}
    assert PAYMENT_PARTITIONS.default_rows() == 0
    release()
    second = archive_it()

    assert (second.part, second.file_path.name) == (2, "payments_2024_02_p2.tsv.gz")
    assert second.read_manifest().figures.rows == 1
    assert [archive.part for archive in archives_of(OLD)] == [1, 2]
    assert [archive.part for archive in archives_of(OLD, part=2)] == [2]
    assert restore(second) == 1
    assert table_names() == {"payments_restored_2024_02_p2"}


def test_the_commands_rehearse_archive_restore_and_drop() -> None:
    an_old_month(5)

    def said(*words: str) -> str:
        out = StringIO()
        call_command(*words, stdout=out)
        return out.getvalue()

    assert said("archive_partitions", "--rehearse") == (
        "2024-02: 5 payments, 48.20 CAD, 12.05 USD: would be archived\nThis was a rehearsal: nothing was changed.\n"
    )
    assert said("archive_partitions", "--month", "2024-02") == (
        "2024-02: 5 payments, 48.20 CAD, 12.05 USD: archived and verified\n"
    )
    assert said("archive_partitions") == "No month is old enough to be archived.\n"
    assert said("restore_archive", "2024-02") == f"2024-02: 5 payments, verified, in {RESTORED}.\n"
    assert said("restore_archive", "2024-02", "--drop") == f"2024-02: {RESTORED} is dropped; the archive file stays.\n"
    with pytest.raises(CommandError, match="no archive of 2024-02, part 9"):
        call_command("restore_archive", "2024-02", "--part", "9")
    with pytest.raises(CommandError, match="should look like 2025-01"):
        call_command("restore_archive", "February")
    with pytest.raises(CommandError, match="no partition of 2024-02"):
        call_command("archive_partitions", "--month", "2024-02")


def test_the_job_restores_and_says_how_many() -> None:
    an_old_month(2)
    archive = archive_it()

    assert run_now("restore_archive", actor=ACTOR, parameters={"archive_id": archive.pk}) == {"rows": 2}
