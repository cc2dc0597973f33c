"""Old months of payments leave the database: taken out, written to a file, read back and compared, only then dropped.

Every step commits what it did, so that the next run goes on from there after a crash at any point.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.models import Max
from psycopg.errors import DeadlockDetected, LockNotAvailable

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, NotFound, Refused, Unavailable
from kernel.periods import Month
from kernel.transactions import unit_of_work
from payments.archivefile import (
    ArchiveDamaged,
    ArchiveWriter,
    Figures,
    Manifest,
    Tally,
    check_bytes,
    checked_rows,
    manifest_path,
    refuse_difference,
    writing,
)
from payments.holds import RECORDED_RECENTLY, Finding, find_holds
from payments.models import PartitionArchive
from payments.operations.archivetables import columns_of, copy_out, figures_of
from payments.partitioning import PAYMENT_PARTITIONS, known_months, oldest_kept
from payments.states import ArchiveStatus

DETACH_ATTEMPTS = 20
PAUSE_SECONDS = (0.1, 0.5)
Clock = Callable[[], datetime]
ARCHIVE, HELD, CONTINUE = "archive", "held", "continue"


class MonthNotDue(Refused):
    """The month is not older than PARTITION_RETENTION_MONTHS, so it stays in the database."""

    code = "month-not-due"
    next_step = "Wait until the month is old enough, or lower PARTITION_RETENTION_MONTHS."


class MonthNotThere(NotFound):
    """There is no partition of this month, and no archive of it is under way."""

    code = "month-not-there"
    next_step = "See `manage.py partitions` for the months that there are."


class MonthHeld(Conflict):
    """Payments of the month are still needed by open work; it stays where it is."""

    code = "month-held"
    next_step = "Close the open work that `holds` names, then run again."


class MonthBusy(Unavailable):
    """Writers kept the table busy, so that the month could not be taken out; nothing was changed."""

    code = "month-busy"
    next_step = "Nothing is to be done: the next run tries again."


class ArchiveFolderUnusable(Unavailable):
    """The archive file could not be written; the month's table is untouched and waits."""

    code = "archive-folder-unusable"
    next_step = "Make ARCHIVE_FOLDER writable and see that its disk has room; the next run goes on."


@dataclass(frozen=True, slots=True)
class MonthPlan:
    """What a run does with one part of one month, with exact figures. month is such as 2025-01."""

    month: Month
    part: int
    table: str
    decision: str
    figures: Figures
    planned_at: datetime
    holds: tuple[Finding, ...] = ()
    archive_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "month": f"{self.month.first_on:%Y-%m}",
            "part": self.part,
            "decision": self.decision,
            **self.figures.as_json(),
            "holds": [finding.as_json() for finding in self.holds],
        }


def plans(*, month: Month | None = None, clock: Clock) -> Iterator[MonthPlan]:
    """What a run would do, month by month, the oldest first: unfinished ones, then those that are due.

    Reads every row of these months, changes nothing. Raises MonthNotDue and MonthNotThere for a month that was named.
    """
    unfinished = [one for one in PartitionArchive.objects.unfinished() if month is None or one.month == month.first_on]
    attached = PAYMENT_PARTITIONS.months()
    due = [one for one in attached if one < oldest_kept(clock()) and (month is None or one == month)]
    if month is not None and not due and not unfinished:
        if month in attached:
            raise MonthNotDue(f"{month.first_on:%Y-%m} is not older than {settings.PARTITION_RETENTION_MONTHS} months.")
        raise MonthNotThere(f"There is no partition of {month.first_on:%Y-%m} to archive.")
    for archive in unfinished:
        yield _plan_to_go_on(archive, at=clock())
    for one in due:
        yield _plan(one, at=clock())


def carry_out(plan: MonthPlan, *, actor: Actor, reason: str = "", clock: Clock) -> PartitionArchive:
    """Does what the plan says, up to the dropped table. Safe to repeat after a crash anywhere.

    Raises MonthHeld (also when a payment arrived since the plan), MonthBusy, ArchiveFolderUnusable, ArchiveDamaged.
    """
    if plan.decision == HELD:
        raise MonthHeld(
            f"{plan.month.first_on:%Y-%m} stays: {'; '.join(map(str, plan.holds))}.",
            holds=[finding.as_json() for finding in plan.holds],
        )
    archive_id = plan.archive_id
    if archive_id is None:
        archive_id = detach_month(plan, actor=actor, reason=reason, clock=clock).pk
    while (status := ArchiveStatus(PartitionArchive.objects.get(pk=archive_id).status)) in STEPS:
        STEPS[status](archive_id, actor, clock)
    finished: PartitionArchive = PartitionArchive.objects.get(pk=archive_id)
    return finished


def detach_month(plan: MonthPlan, *, actor: Actor, reason: str = "", clock: Clock) -> PartitionArchive:
    """Takes the month's partition out of payments. Raises MonthHeld for a payment that came since, MonthBusy."""
    for attempt in range(DETACH_ATTEMPTS):
        if attempt:
            # What queued behind our wait for the lock goes through before we try again.
            time.sleep(random.uniform(*PAUSE_SECONDS))
        try:
            archive = _detach(plan, actor=actor, reason=reason, at=clock())
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
        else:
            known_months.refresh()
            return archive
    raise MonthBusy(f"Writers kept {PAYMENT_PARTITIONS.table} busy: {plan.month.first_on:%Y-%m} was not taken out.")


def write_archive(archive_id: int, actor: Actor, clock: Clock) -> None:
    """Writes the detached table to its file and the manifest beside it. Raises ArchiveFolderUnusable."""
    archive: PartitionArchive = PartitionArchive.objects.get(pk=archive_id)
    try:
        manifest = _write_files(archive, archive.file_path, made_at=clock())
    except OSError as error:
        cause = f"{error.filename or archive.file_path} cannot be written: {error.strerror}."
        _note_error(archive_id, cause)
        raise ArchiveFolderUnusable(cause) from error
    _mark_written(archive_id, manifest, at=clock())


def verify_archive(archive_id: int, actor: Actor, clock: Clock) -> None:
    """Reads the file back in full and compares it with its manifest and with the table, byte for byte.

    Raises ArchiveDamaged naming what differs; the archive then is detached again and written anew by the next run.
    """
    archive: PartitionArchive = PartitionArchive.objects.get(pk=archive_id)
    manifest = archive.read_manifest()
    try:
        check_bytes(archive.file_path, manifest)
        for _ in checked_rows(archive.file_path, manifest):
            pass
        _compare_with_table(archive.table_name, manifest)
    except ArchiveDamaged as damage:
        _send_back(archive_id, damage.detail, at=clock())
        raise
    _mark_verified(archive_id, at=clock())


def drop_archived(archive_id: int, actor: Actor, clock: Clock) -> None:
    """Drops the table of a verified archive, after a last look at the file's bytes.

    Raises ArchiveNotInThatStatus for one that is not verified, ArchiveDamaged (it is then written anew).
    """
    archive: PartitionArchive = PartitionArchive.objects.get(pk=archive_id)
    if archive.status == ArchiveStatus.VERIFIED:
        # It may have been verified by a run that died, hours ago.
        try:
            check_bytes(archive.file_path, archive.read_manifest())
        except ArchiveDamaged as damage:
            _send_back(archive_id, damage.detail, at=clock())
            raise
    _drop(archive_id, actor=actor, at=clock())


STEPS: dict[ArchiveStatus, Callable[[int, Actor, Clock], None]] = {
    ArchiveStatus.DETACHED: lambda *step: write_archive(*step),
    ArchiveStatus.WRITTEN: lambda *step: verify_archive(*step),
    ArchiveStatus.VERIFIED: lambda *step: drop_archived(*step),
}


def _plan(month: Month, *, at: datetime) -> MonthPlan:
    table = PAYMENT_PARTITIONS.name_of(month)
    holds = find_holds(table, at=at)
    return MonthPlan(
        month=month,
        part=_next_part(month),
        table=table,
        decision=HELD if holds else ARCHIVE,
        figures=figures_of(table),
        planned_at=at,
        holds=holds,
    )


def _plan_to_go_on(archive: PartitionArchive, *, at: datetime) -> MonthPlan:
    return MonthPlan(
        month=Month(archive.month),
        part=archive.part,
        table=archive.table_name,
        decision=CONTINUE,
        figures=figures_of(archive.table_name),
        planned_at=at,
        archive_id=archive.pk,
    )


def _next_part(month: Month) -> int:
    # Two runs that find the same number are told apart by the constraint partition_archive_once.
    return (PartitionArchive.objects.of_month(month).aggregate(last=Max("part"))["last"] or 0) + 1


@unit_of_work
def _detach(plan: MonthPlan, *, actor: Actor, reason: str, at: datetime) -> PartitionArchive:
    month = plan.month
    archive = PartitionArchive(
        month=month.first_on,
        part=_next_part(month),
        status=ArchiveStatus.DETACHED,
        status_since=at,
        detached_at=at,
    )
    archive.table_name = f"{PAYMENT_PARTITIONS.table}_detached_{archive.months_label}"
    PAYMENT_PARTITIONS.detach(month, new_name=archive.table_name)
    # Since the plan was made a payment may have come, whose reference is in the gate now. Its row says when.
    recent = find_holds(archive.table_name, at=plan.planned_at, only={RECORDED_RECENTLY})
    if recent:
        raise MonthHeld(f"{month.first_on:%Y-%m} stays: {recent[0]}.", holds=[finding.as_json() for finding in recent])
    archive.save(force_insert=True)
    _audit(archive, "archive.detached", actor=actor, reason=reason, after={"table": archive.table_name}, at=at)
    return archive


def _write_files(archive: PartitionArchive, path: Path, *, made_at: datetime) -> Manifest:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    columns = columns_of(archive.table_name)
    with writing(path) as target:
        writer, tally = ArchiveWriter(target), Tally(columns)

        def take(block: bytes) -> None:
            writer.write(block)
            tally.feed(block)

        copy_out(archive.table_name, columns, take)
        content = writer.finish()
    manifest = Manifest(
        table=PAYMENT_PARTITIONS.table,
        month=f"{archive.month:%Y-%m}",
        part=archive.part,
        file=path.name,
        figures=tally.figures(),
        content=content,
        columns=columns,
        software_version=settings.SOFTWARE_VERSION,
        made_at=made_at,
    )
    with writing(manifest_path(path)) as target:
        target.write(manifest.as_bytes())
    return manifest


def _compare_with_table(table: str, manifest: Manifest) -> None:
    digest = hashlib.sha256()
    copy_out(table, manifest.columns, digest.update)
    refuse_difference(
        f"The table {table} and its archive differ",
        found={"sha256": digest.hexdigest(), **figures_of(table).as_json()},
        expected={"sha256": manifest.content.sha256_uncompressed, **manifest.figures.as_json()},
    )


@unit_of_work
def _mark_written(archive_id: int, manifest: Manifest, *, at: datetime) -> None:
    archive = _locked(archive_id)
    archive._move_to(ArchiveStatus.WRITTEN, at=at)
    archive.manifest = manifest.as_json()
    archive.last_error = ""
    archive.save()


@unit_of_work
def _mark_verified(archive_id: int, *, at: datetime) -> None:
    archive = _locked(archive_id)
    archive._move_to(ArchiveStatus.VERIFIED, at=at)
    archive.verified_at = at
    archive.save()


@unit_of_work
def _send_back(archive_id: int, cause: str, *, at: datetime) -> None:
    archive = _locked(archive_id)
    archive._move_to(ArchiveStatus.DETACHED, at=at)
    archive.manifest = archive.verified_at = None
    archive.last_error = cause
    archive.save()


@unit_of_work
def _note_error(archive_id: int, cause: str) -> None:
    archive = _locked(archive_id)
    archive.last_error = cause
    archive.save()


@unit_of_work
def _drop(archive_id: int, *, actor: Actor, at: datetime) -> None:
    archive = _locked(archive_id)
    archive._move_to(ArchiveStatus.ARCHIVED, at=at)
    archive.dropped_at = at
    archive.save()
    PAYMENT_PARTITIONS.drop_detached(archive.table_name)
    _audit(archive, "archive.dropped", actor=actor, reason="", after=archive.manifest, at=at)


def _locked(archive_id: int) -> PartitionArchive:
    archive: PartitionArchive = PartitionArchive.objects.lock([archive_id])[0]
    return archive


def _audit(
    archive: PartitionArchive, action: str, *, actor: Actor, reason: str, after: dict[str, Any] | None, at: datetime
) -> None:
    record_entry(actor=actor, action=action, subject=archive, after=after, reason=reason, at=at)
