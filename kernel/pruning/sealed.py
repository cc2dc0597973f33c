"""Rows that the audit's chain covers: they go by whole seals, and each leaves a sealed record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from kernel.audit.retirement import groups_of_old_seals, judge, retire
from kernel.audit.sources import SealedSource
from kernel.pruning.registry import Chunk, Found, Pruning

CHUNK_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class SealedSourceRows:
    """The rows of a sealed table that lets old ones go. A seal with one row that must stay, stays whole."""

    source: SealedSource
    chunk_rows: int = CHUNK_ROWS

    def find(self, *, before: datetime) -> Found:
        found = Found()
        for group in groups_of_old_seals(self.source, before=before, rows=self.chunk_rows):
            for rows in judge(self.source, group):
                if rows.is_retirable(before=before):
                    oldest = min(found.oldest or rows.first_recorded_at, rows.first_recorded_at)
                    found = Found(found.count + rows.entry_count, oldest)
        return found

    def chunks(self, *, before: datetime) -> Iterator[Chunk]:
        for group in groups_of_old_seals(self.source, before=before, rows=self.chunk_rows):
            yield partial(self._retire, group, before)

    def _retire(self, group: list[int], before: datetime, pruning: Pruning) -> int:
        return retire(self.source, group, before=before, run_id=pruning.run_id, actor=pruning.actor, at=pruning.at)
