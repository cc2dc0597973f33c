"""Seals new rows of every registered table into the chain, a few seconds behind, so that no writer ever waits."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from django.db import connection

from kernel.audit.chain import GENESIS_HASH, SealContent
from kernel.audit.models import AuditSeal
from kernel.audit.sources import SealedSource, all_sources
from kernel.transactions import unit_of_work

# "seal" in ASCII: the key of the advisory lock that makes the sealer the only one.
SEALER_LOCK = 0x7365616C
BATCH_LIMIT = 20_000
# No unit of work of ours stays open for this long; a gap that is older is a rolled-back insert.
GAPS_SETTLE_AFTER = timedelta(hours=1)


def seal_all(*, at: datetime, batch_limit: int = BATCH_LIMIT, sweep: bool = False) -> int:
    """Seals everything that is committed and not sealed yet; returns how many rows. 0 while another sealer is at work.

    With `sweep` the ground below the floor is searched as well, for rows that came later than any unit of work should.
    """
    return sum(_seal_source(source, at=at, batch_limit=batch_limit, sweep=sweep) for source in all_sources())


def unsealed_positions(source: SealedSource, *, at: datetime, limit: int) -> list[int]:
    """The positions of rows recorded before `at` that no seal covers, in order, at most `limit`.

    Looks at everything that was ever sealed: for what happens once a day.
    """
    with connection.cursor() as cursor:
        cursor.execute(source.sql("unsealed_rows"), {"source": source.name, "recorded_before": at, "limit": limit})
        return [position for (position,) in cursor.fetchall()]


def _seal_source(source: SealedSource, *, at: datetime, batch_limit: int, sweep: bool) -> int:
    sealed = 0
    while count := seal_batch(source, at=at, limit=batch_limit, sweep=sweep):
        sealed += count
        if count < batch_limit:
            break
    return sealed


@unit_of_work
def seal_batch(source: SealedSource, *, at: datetime, limit: int = BATCH_LIMIT, sweep: bool = False) -> int:
    """Adds one seal over the next rows of the source; returns how many rows it covers, 0 when there were none."""
    if not _became_the_sealer():
        return 0
    previous = AuditSeal.objects.order_by("-sequence").only("sequence", "hash").first()
    content = _next_content(source, previous, at=at, limit=limit, sweep=sweep)
    if content is None:
        return 0
    AuditSeal.objects.create(**asdict(content), hash=content.hash())
    return content.entry_count


def _became_the_sealer() -> bool:
    # Tried, not waited for: the other sealer does the same work. Its lock ends with its commit, so that the next
    # statement of whoever gets the lock sees everything that was sealed before.
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [SEALER_LOCK])
        return bool(cursor.fetchone()[0])


def _next_content(
    source: SealedSource, previous: AuditSeal | None, *, at: datetime, limit: int, sweep: bool
) -> SealContent | None:
    latest = AuditSeal.objects.filter(source=source.name).order_by("-sequence").only("high_water", "sealed_at").first()
    with connection.cursor() as cursor:
        cursor.execute(
            source.sql("next_batch"),
            {"source": source.name, "gaps_open_since": _gaps_open_since(latest, sweep=sweep), "limit": limit},
        )
        positions, entry_count, highest, content_digest, fingerprints = cursor.fetchone()
    if not entry_count:
        return None
    return SealContent(
        sequence=previous.sequence + 1 if previous else 1,
        sealed_at=at,
        source=source.name,
        positions=positions,
        high_water=max(highest, latest.high_water) if latest else highest,
        entry_count=entry_count,
        content_digest=bytes(content_digest),
        fingerprints=bytes(fingerprints),
        previous_hash=bytes(previous.hash) if previous else GENESIS_HASH,
    )


def _gaps_open_since(latest: AuditSeal | None, *, sweep: bool) -> datetime:
    # Reckoned from the last seal, not from now: while no sealer ran, nobody has looked whether the gaps were filled.
    if latest is None or sweep:
        return datetime.min.replace(tzinfo=UTC)
    return latest.sealed_at - GAPS_SETTLE_AFTER
