"""Three years pass, month by month: data arrives on every border, retention runs, and nothing is recorded twice."""

from __future__ import annotations

import random
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from pytest_django import Settings

from kernel.audit.actors import Actor
from kernel.audit.sealing import seal_all
from kernel.invariants.operations import verify
from kernel.outbox.relay import Relay
from kernel.periods import Month
from kernel.pruning.operations import prune
from kernel.pruning.registry import Pruning, prunables
from kernel.uuids import uuid7
from payments.deduplication import forget_all
from payments.models import PartitionArchive, ReferenceConflict
from payments.operations.archiving import HELD, carry_out, plans
from payments.operations.recording import record_notice
from payments.operations.references import rotate_references
from payments.operations.staging import record_chunk
from payments.partitioning import PAYMENT_PARTITIONS, ensure_known, ensure_partitions_ahead, known_months
from payments.states import ArchiveStatus, Outcome, PaymentSource
from tests.payments.archives import forget_archives
from tests.payments.recorded import notice
from tests.payments.staged import a_row, count, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)

SEED = 20_240_229
MONTHS = 36
RETENTION = 12
# With 29 February 2024, and the two changes of the clocks of each year.
FIRST = Month.parse("2023_09")
ZONE = ZoneInfo("Europe/Berlin")
ACTOR = Actor.system("three years")


@pytest.fixture(autouse=True)
def _short_lives(settings: Settings, tmp_path: Path) -> Generator[None]:
    settings.PARTITION_RETENTION_MONTHS = RETENTION
    settings.ARCHIVE_FOLDER = tmp_path
    settings.STAGING_ZONE = ZONE
    prepare_staging()
    forget_archives()
    yield
    forget_archives()


class Years:
    """What was sent, and what must therefore be in the books."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        # Reference to the moment of payment, in the order of their first arrival.
        self.paid: dict[str, datetime] = {}
        self.ids: dict[str, Any] = {}
        self.duplicates = self.conflicts = 0

    def pass_month(self, month: Month) -> None:
        """Data of the month and of its borders, each twice; old references again; then what the nights of it do."""
        bounds = month.bounds()
        at = bounds.end_at + timedelta(hours=12)
        ensure_partitions_ahead(at=at)
        known_months.refresh()
        for place, moment in enumerate(_borders(month)):
            self._arrives(f"{month.label}-{place}", moment, at=at)
        self._old_ones_again(at)
        self._by_file(month, at)
        self._nights(at)

    def _arrives(self, reference: str, moment: datetime, *, at: datetime) -> None:
        given = notice(reference, payment_date=moment)
        first = record_notice(given, source=PaymentSource.MANUAL, at=at)
        assert first.is_new, reference
        again = record_notice(given, source=PaymentSource.MANUAL, at=at)
        assert (again.outcome, again.payment_id) == (Outcome.DUPLICATE, first.payment_id)
        self.paid[reference], self.ids[reference] = moment, first.payment_id

    def _old_ones_again(self, at: datetime) -> None:
        """One reference of each month so far, of the gate, pruned or archived, as it was and with another amount."""
        forget_all()
        by_month: dict[str, list[str]] = {}
        for reference in self.ids:
            by_month.setdefault(reference[:7], []).append(reference)
        for references in by_month.values():
            reference = self.random.choice(references)
            moment, payment_id = self.paid[reference], self.ids[reference]
            same = record_notice(notice(reference, payment_date=moment), source=PaymentSource.MANUAL, at=at)
            other = notice(reference, payment_date=moment, amount=Decimal("77.77"))
            differs = record_notice(other, source=PaymentSource.MANUAL, at=at)
            assert (same.outcome, same.payment_id, same.payment_date) == (Outcome.DUPLICATE, payment_id, moment)
            assert (differs.outcome, differs.payment_id) == (Outcome.CONFLICT, payment_id)
        if len(by_month) in (18, 20, 22):
            # A payment of the first month, which lies in its archive by now: it makes a second part of it one day.
            late = f"{FIRST.label}-late-{len(by_month)}"
            moment = FIRST.bounds().start_at + timedelta(days=len(by_month))
            self._arrives(late, moment, at=at)

    def _by_file(self, month: Month, at: datetime) -> None:
        """Staged rows: the borders, each twice; the first payment of all once more, and once with another amount."""
        first = next(iter(self.paid))
        old = self.paid[first].astimezone(ZONE).replace(tzinfo=None)
        rows = []
        for place, moment in enumerate(_borders(month)):
            reference = f"{month.label}-file-{place}"
            local = moment.astimezone(ZONE).replace(tzinfo=None)
            rows += [a_row(reference, payment_date=local), a_row(reference, payment_date=local)]
            # The hour that comes twice in autumn is read as its first time, in every reader of PostgreSQL's zones.
            self.paid[reference] = moment
        rows.append(self._as_first(first, old))
        rows.append(self._as_first(first, old, amount="77.78"))
        stage(*rows)
        ensure_known([month, month.previous(), month.next()])
        chunk = record_chunk(batch_size=1000, after_id=0, attempt=1, at=at)
        assert chunk is not None
        borders = len(_borders(month))
        assert (chunk.recorded, chunk.duplicates, chunk.conflicts, chunk.rejected) == (borders, borders + 1, 1, 0)

    def _as_first(self, reference: str, local: datetime, **changes: Any) -> dict[str, Any]:
        given = notice(reference)
        return a_row(
            reference,
            loan_account_number=given.loan_account_number,
            cif=given.cif,
            payment_date=local,
            amount=changes.get("amount", str(given.amount)),
        )

    def _nights(self, at: datetime) -> None:
        """Events go out, the audit is sealed, staff decide what is open, references turn over, old months leave."""
        Relay().drain()
        seal_all(at=at)
        ReferenceConflict.objects.filter(status="open").update(
            status="dismissed", resolved_by="staff", resolution_reason="sent in error"
        )
        rotate_references(at=at)
        for prunable in prunables():
            prune(prunable, Pruning(at=at, actor=ACTOR, run_id=uuid7(at)), pause_seconds=0)
        for plan in plans(clock=lambda: at):
            if plan.decision != HELD:
                carry_out(plan, actor=ACTOR, clock=lambda: at)
        seal_all(at=at)


def _borders(month: Month) -> list[datetime]:
    """The first and the last moment of the month, of its days with a change of the clocks, and of 29 February."""
    bounds = month.bounds()
    tick = timedelta(microseconds=1)
    moments = [bounds.start_at, bounds.start_at + tick, bounds.end_at - tick]
    local = ZONE
    day = bounds.start_at
    while day < bounds.end_at:
        before, after = day.astimezone(local).utcoffset(), (day + timedelta(days=1)).astimezone(local).utcoffset()
        if before != after:
            # Both changes happen at 01:00 UTC; an hour away on both sides every local time is unmistakable.
            change = day.replace(hour=1)
            moments += [change - timedelta(hours=1) - tick, change + timedelta(hours=1)]
        if (day.month, day.day) == (2, 29):
            moments += [day + timedelta(hours=12)]
        day += timedelta(days=1)
    return moments


def test_three_years_of_months_pass_and_every_reference_stays_unique(settings: Settings) -> None:
    years = Years()
    month = FIRST
    for _ in range(MONTHS):
        years.pass_month(month)
        month = month.next()

    at = month.bounds().start_at + timedelta(hours=13)
    recorded = len(years.paid)
    archived = PartitionArchive.objects.filter(status=ArchiveStatus.ARCHIVED)
    attached_rows = count("payments")
    archived_rows = sum(archive.read_manifest().figures.rows for archive in archived)
    references = [
        count(table) for table in ("payment_references", "payment_references_previous", "payment_references_history")
    ]
    assert attached_rows + archived_rows == recorded == sum(references)
    assert archived_rows > attached_rows > 0
    assert min(references) > 0
    # The months of the retention, the one that has just begun and those ahead; what is older lies in files.
    kept_from = Month.of(at, UTC).plus(-RETENTION)
    older = {one for one in PAYMENT_PARTITIONS.months() if one < kept_from}
    # But for the months of late payments, whose references are too young to let them go.
    assert older <= {FIRST, FIRST.next()}
    assert len({archive.month for archive in archived}) >= MONTHS - RETENTION - 2
    assert count("payments_default") == 0
    assert any(archive.part > 1 for archive in archived), "A late payment makes a second part of its month."

    with connection.cursor() as cursor:
        cursor.execute(
            "select reference_number from payment_references union all "
            "select reference_number from payment_references_previous union all "
            "select reference_number from payment_references_history"
        )
        kept = [reference for (reference,) in cursor.fetchall()]
    assert sorted(kept) == sorted(years.paid)

    forget_all()
    for reference, moment in years.paid.items():
        if reference in years.ids:
            again = record_notice(notice(reference, payment_date=moment), source=PaymentSource.MANUAL, at=at)
            assert (again.outcome, again.payment_id) == (Outcome.DUPLICATE, years.ids[reference])

    broken = [outcome.shown() for outcome in verify(at=at) if outcome.look.broken]
    assert broken == []
