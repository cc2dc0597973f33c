"""An archived month comes back for reading: into a table of its own beside payments, checked before anybody sees it."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import NotFound
from kernel.periods import Month
from kernel.transactions import unit_of_work
from payments.archivefile import Column, Manifest, check_bytes, checked_rows, refuse_difference
from payments.archivemodels import ArchiveNotInThatStatus
from payments.models import PartitionArchive
from payments.operations.archivetables import figures_of
from payments.partitioning import PAYMENT_PARTITIONS
from payments.states import ArchiveStatus

TYPE = re.compile(r"[a-z][a-z0-9_ ]*(\([0-9, ]+\))?[a-z ]*")
INDEXES = (("id",), ("reference_number",), ("loan_account_number", "payment_date"), ("cif", "payment_date"))


class ArchiveUnknown(NotFound):
    """There is no archive of this month (and part)."""

    code = "archive-unknown"
    next_step = "See `manage.py partitions` or the console's page Partitions for the archives that there are."


def archives_of(month: Month, *, part: int | None = None) -> list[PartitionArchive]:
    """The archives of the month, or the one of this part. Raises ArchiveUnknown."""
    found = [one for one in PartitionArchive.objects.of_month(month) if part is None or one.part == part]
    if not found:
        named = f"{month.first_on:%Y-%m}" + (f", part {part}" if part is not None else "")
        raise ArchiveUnknown(f"There is no archive of {named}.")
    return found


def restore_archive(archive_id: int, *, actor: Actor, reason: str = "", at: datetime) -> int:
    """Loads an archive into its read-only table; gives how many rows. All or nothing, also after a crash.

    Raises ArchiveDamaged naming what differs, and ArchiveNotInThatStatus when it is not archived.
    """
    archive: PartitionArchive = PartitionArchive.objects.get(pk=archive_id)
    if archive.status != ArchiveStatus.ARCHIVED:
        raise ArchiveNotInThatStatus(f"The archive of {archive.label} is {archive.status}.", ids=[str(archive_id)])
    manifest = archive.read_manifest()
    # Before the transaction: a file that is not whole is refused without a table being made for it.
    check_bytes(archive.file_path, manifest)
    _load(archive_id, manifest, actor=actor, reason=reason, at=at)
    return manifest.figures.rows


@unit_of_work
def drop_restored(archive_id: int, *, actor: Actor, reason: str = "", at: datetime) -> str:
    """Drops the read-only table of a restored archive; its file stays. Gives the table's name."""
    archive = _locked(archive_id)
    if archive.status != ArchiveStatus.RESTORED:
        raise ArchiveNotInThatStatus(f"The archive of {archive.label} is not restored.", ids=[str(archive_id)])
    archive._move_to(ArchiveStatus.ARCHIVED, at=at)
    archive.save()
    PAYMENT_PARTITIONS.drop_detached(archive.restored_table)
    record_entry(actor=actor, action="archive.restored-copy-dropped", subject=archive, reason=reason, at=at)
    return archive.restored_table


@unit_of_work
def _load(archive_id: int, manifest: Manifest, *, actor: Actor, reason: str, at: datetime) -> None:
    # The file is read within the transaction: the table must not be there before its rows are checked.
    archive = _locked(archive_id)
    archive._move_to(ArchiveStatus.RESTORED, at=at)
    archive.save()
    table = archive.restored_table
    with connection.cursor() as cursor:
        _create(cursor, table, manifest.columns)
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in manifest.columns)
        with cursor.copy(
            sql.SQL("copy {} ({}) from stdin with (format text, header match)").format(sql.Identifier(table), names)
        ) as copy:
            for block in checked_rows(archive.file_path, manifest):
                copy.write(block)
        refuse_difference(
            f"The rows loaded from {manifest.file}",
            found=figures_of(table).as_json(),
            expected=manifest.figures.as_json(),
        )
        for columns in INDEXES:
            _create_index(cursor, table, columns)
        cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))
    PAYMENT_PARTITIONS.make_read_only(table)
    record_entry(
        actor=actor,
        action="archive.restored",
        subject=archive,
        after={"table": table, "rows": manifest.figures.rows},
        reason=reason,
        at=at,
    )


def _create(cursor: CursorWrapper, table: str, columns: tuple[Column, ...]) -> None:
    # By the manifest and not like today's table: a month is restored as it was, whatever has changed since.
    spelled = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name),
            sql.SQL(_checked_type(column)),
            sql.SQL(" not null" if column.is_required else ""),
        )
        for column in columns
    ]
    cursor.execute(sql.SQL("create table {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(spelled)))


def _create_index(cursor: CursorWrapper, table: str, columns: tuple[str, ...]) -> None:
    cursor.execute(
        sql.SQL("create index on {} ({})").format(
            sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(name) for name in columns)
        )
    )


def _checked_type(column: Column) -> str:
    if not TYPE.fullmatch(column.type):
        raise ValueError(f"{column.name} has no type of PostgreSQL: {column.type}")
    return column.type


def _locked(archive_id: int) -> PartitionArchive:
    archive: PartitionArchive = PartitionArchive.objects.lock([archive_id])[0]
    return archive
