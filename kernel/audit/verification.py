"""Recomputes the whole chain, and names the first row that was altered, taken away, or never sealed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection

from kernel.audit.chain import GENESIS_HASH, SealContent
from kernel.audit.models import AuditSeal
from kernel.audit.sources import SealedSource, all_sources

# The sealer is a few seconds behind; a row without a seal after this long was passed over.
UNSEALED_PATIENCE = timedelta(minutes=5)
SEALS_PER_STATEMENT = 200
FINDINGS_PER_KIND = 100


class Fault(StrEnum):
    # A sealed row has other content than when it was sealed.
    ALTERED = "altered"
    # A sealed row is no longer there.
    MISSING = "missing"
    # A row was never sealed.
    UNSEALED = "unsealed"
    # A seal does not follow from the one before it, or was changed itself.
    BROKEN = "broken"
    # A row stands where a retired one was deleted.
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `position` is the row's in its source; for a broken link it is the seal's sequence."""

    fault: Fault
    source: str
    position: int

    def __str__(self) -> str:
        sentences = {
            Fault.ALTERED: f"{self.source} {self.position} was altered after it was sealed.",
            Fault.MISSING: f"{self.source} {self.position} was sealed and is no longer there.",
            Fault.UNSEALED: f"{self.source} {self.position} was never sealed.",
            Fault.BROKEN: f"seal {self.position} ({self.source}) does not follow from the one before it.",
            Fault.RETURNED: f"{self.source} {self.position} was retired, and a row stands there again.",
        }
        return sentences[self.fault]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at and what was found. `head` is the last seal's hash: kept elsewhere, it proves the end."""

    seals: int
    rows: int
    head: bytes
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        return not self.findings


def verify_chain(at: datetime) -> Verification:
    """Recomputes every link and every row's digest. Reads only; a few statements for each 200 seals.

    Findings come in order: broken links, then by source the altered and missing rows, then those never sealed.
    """
    seals, rows, head, broken = _verify_links()
    findings = list(broken)
    for source in all_sources():
        findings += _altered_rows(source, last_sequence=seals)
        findings += _unsound_retirements(source)
        findings += _unsealed_rows(source, at=at)
    return Verification(seals=seals, rows=rows, head=head, findings=tuple(findings))


def _verify_links() -> tuple[int, int, bytes, list[Finding]]:
    """(highest sequence, rows sealed, hash of the head, broken links)."""
    broken: list[Finding] = []
    sequence, rows, previous_hash = 0, 0, GENESIS_HASH
    for seal in AuditSeal.objects.order_by("sequence").iterator(chunk_size=200):
        follows = seal.sequence == sequence + 1 and bytes(seal.previous_hash) == previous_hash
        if not (follows and _content_of(seal).hash() == bytes(seal.hash)) and len(broken) < FINDINGS_PER_KIND:
            broken.append(Finding(Fault.BROKEN, seal.source, seal.sequence))
        sequence, previous_hash = seal.sequence, bytes(seal.hash)
        rows += seal.entry_count
    return sequence, rows, previous_hash, broken


def _content_of(seal: AuditSeal) -> SealContent:
    return SealContent(
        sequence=seal.sequence,
        sealed_at=seal.sealed_at,
        source=seal.source,
        positions=seal.positions,
        high_water=seal.high_water,
        entry_count=seal.entry_count,
        content_digest=bytes(seal.content_digest),
        fingerprints=bytes(seal.fingerprints),
        previous_hash=bytes(seal.previous_hash),
    )


def _altered_rows(source: SealedSource, *, last_sequence: int) -> Iterator[Finding]:
    found = 0
    for after in range(0, last_sequence, SEALS_PER_STATEMENT):
        stretch = {"source": source.name, "after": after, "up_to": after + SEALS_PER_STATEMENT}
        for (sequence,) in _rows(source.sql("altered_seals"), stretch):
            where = {"sequence": sequence, "limit": FINDINGS_PER_KIND - found}
            rows = _rows(source.sql("altered_rows"), where)
            yield from (Finding(Fault(fault), source.name, position) for position, fault in rows)
            # The rows match their fingerprints, the batch not its digest: then the seal itself was tampered with.
            if not rows:
                yield Finding(Fault.BROKEN, source.name, sequence)
            found += max(len(rows), 1)
            if found >= FINDINGS_PER_KIND:
                return


def _unsound_retirements(source: SealedSource) -> Iterator[Finding]:
    where = {"source": source.name, "limit": FINDINGS_PER_KIND}
    for fault, position in _rows(source.sql("unsound_retirements"), where):
        yield Finding(Fault(fault), source.name, position)


def _unsealed_rows(source: SealedSource, *, at: datetime) -> Iterator[Finding]:
    where = {"source": source.name, "recorded_before": at - UNSEALED_PATIENCE, "limit": FINDINGS_PER_KIND}
    for (position,) in _rows(source.sql("unsealed_rows"), where):
        yield Finding(Fault.UNSEALED, source.name, position)


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
