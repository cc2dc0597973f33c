"""What became of the months of payments that were taken out of the database: one row an archive file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from kernel.errors import Conflict
from kernel.periods import Month
from payments import querysets
from payments.archivefile import Manifest
from payments.states import ARCHIVE_MOVES, ArchiveStatus

DROPPED = (ArchiveStatus.ARCHIVED.value, ArchiveStatus.RESTORED.value)
CHECKED = (ArchiveStatus.VERIFIED.value, *DROPPED)


class ArchiveNotInThatStatus(Conflict):
    """The archive is in a status from which this cannot be done; nothing was changed."""

    code = "archive-not-in-that-status"
    title = "The archive has moved on"
    next_step = "Look at the archive's page: it says how far it is and what can be done with it."


class PartitionArchive(models.Model):
    """One part of one month's payments on its way into a file. Payments that come later are a part of their own."""

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(help_text="The first day of the month (UTC).")
    part = models.PositiveSmallIntegerField()
    status = models.CharField(
        max_length=20,
        choices=[(status.value, status.value.capitalize()) for status in ArchiveStatus],
        default=ArchiveStatus.DETACHED,
    )
    status_since = models.DateTimeField()
    table_name = models.CharField(max_length=63, help_text="The detached table; gone once it is archived.")
    manifest = models.JSONField(null=True, help_text="What the file holds; the file beside it says the same.")
    detached_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)
    last_error = models.TextField(db_default="", default="", blank=True)

    objects = querysets.PartitionArchiveQuerySet.as_manager()

    class Meta:
        db_table = "partition_archive"
        verbose_name = "archived month"
        # The page that lists them shows the attached months too.
        verbose_name_plural = "partitions"
        default_permissions = ("view",)
        permissions = [
            ("archive_partitions", "Can archive old months of payments"),
            ("rehearse_archiving", "Can rehearse the archiving of old months"),
            ("restore_archive", "Can restore an archived month for reading, and drop it again"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["month", "part"], name="partition_archive_once"),
            models.CheckConstraint(
                name="partition_archive_status_known",
                condition=Q(status__in=[status.value for status in ArchiveStatus]),
            ),
            models.CheckConstraint(
                name="partition_archive_written_has_manifest",
                condition=Q(status=ArchiveStatus.DETACHED.value) | Q(manifest__isnull=False),
            ),
            # The promise of the whole: nothing is dropped before its file was read back and found equal.
            models.CheckConstraint(
                name="partition_archive_dropped_is_verified",
                condition=(Q(dropped_at__isnull=True) & ~Q(status__in=DROPPED))
                | (Q(dropped_at__isnull=False) & Q(verified_at__isnull=False) & Q(status__in=DROPPED)),
            ),
            models.CheckConstraint(
                name="partition_archive_verified_when",
                condition=Q(verified_at__isnull=True) | Q(status__in=CHECKED),
            ),
        ]

    def __str__(self) -> str:
        return f"Payments of {self.label}"

    @property
    def label(self) -> str:
        """2025-01, and with its part when it is not the first."""
        return f"{self.month:%Y-%m}" + (f", part {self.part}" if self.part > 1 else "")

    @property
    def months_label(self) -> str:
        """2025_01, or 2025_01_p2: the end of the names of its tables and of its file."""
        return Month(self.month).label + (f"_p{self.part}" if self.part > 1 else "")

    @property
    def file_path(self) -> Path:
        return Path(settings.ARCHIVE_FOLDER) / f"payments_{self.months_label}.tsv.gz"

    @property
    def restored_table(self) -> str:
        return f"payments_restored_{self.months_label}"

    def read_manifest(self) -> Manifest:
        """Raises ArchiveNotInThatStatus before the file is written."""
        if self.manifest is None:
            raise ArchiveNotInThatStatus(f"The archive of {self.label} is not written yet.", ids=[str(self.pk)])
        return Manifest.from_json(self.manifest)

    def _move_to(self, target: ArchiveStatus, *, at: datetime) -> None:
        """Moves to `target` if the table of moves allows it; the caller holds the row's lock and saves."""
        if target not in ARCHIVE_MOVES[ArchiveStatus(self.status)]:
            raise ArchiveNotInThatStatus(
                f"The archive of {self.label} is {self.status} and cannot become {target}.", ids=[str(self.pk)]
            )
        self.status = target
        self.status_since = at
