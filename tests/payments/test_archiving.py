"""Old months leave the database by a verified file, one step at a time, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from kernel.audit.models import AuditEntry
from payments.states import ArchiveStatus
from tests.payments.archives import (
    LEAP_DAY,
    an_old_month,
    archive_it,
    forget_archives,
    table_names,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: object) -> Generator[Path]:
    settings.ARCHIVE_FOLDER = tmp_path / "archives"  # type: ignore[attr-defined]
    forget_archives()
    yield tmp_path / "archives"
    forget_archives()


def test_an_old_month_ends_in_a_verified_file_and_leaves_the_database(folder: Path) -> None:
    an_old_month(5)

    archive = archive_it()

    assert (archive.status, archive.part) == (ArchiveStatus.ARCHIVED, 1)
    assert sorted(path.name for path in folder.iterdir()) == [
        "payments_2024_02.tsv.gz",
        "payments_2024_02.tsv.gz.manifest.json",
    ]
    manifest = archive.read_manifest()
    assert manifest.figures.rows == 5
    assert {currency: str(amount) for currency, amount in manifest.figures.amounts.items()} == {
        "CAD": "48.20",
        "USD": "12.05",
    }
    assert manifest.figures.newest == LEAP_DAY
    assert table_names() == set()
    assert [entry.action for entry in AuditEntry.objects.about(archive).order_by("id")] == [
        "archive.detached",
        "archive.dropped",
    ]
