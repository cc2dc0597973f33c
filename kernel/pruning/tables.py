"""Rows of a plain table, deleted by SQL in chunks along an index, the oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from kernel.pruning.registry import Chunk, Found, Pruning

CHUNK_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class TableRows:
    """All texts are SQL written by us; `entry` stands for the row.

    `age` is a column with an index: what is older by it is looked at, in its order. Of that, what meets `condition`
    goes. `companions` are (table, column) of rows that belong to the row by its key and go in the same transaction.
    """

    table: str
    age: str
    key: str = "id"
    condition: str = "true"
    companions: tuple[tuple[str, str], ...] = ()
    chunk_rows: int = CHUNK_ROWS

    def find(self, *, before: datetime) -> Found:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*), min(entry.{self.age}) {self._old()}", {"before": before})
            return Found(*cursor.fetchone())

    def chunks(self, *, before: datetime) -> Iterator[Chunk]:
        deleted = self.chunk_rows

        def delete(pruning: Pruning) -> int:
            nonlocal deleted
            deleted = self._delete(before)
            return deleted

        while deleted == self.chunk_rows:
            yield delete

    def _old(self) -> str:
        return f"from {self.table} entry where entry.{self.age} < %(before)s and ({self.condition})"

    def _delete(self, before: datetime) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                f"select entry.{self.key} {self._old()} order by entry.{self.age} limit {self.chunk_rows} for update",
                {"before": before},
            )
            keys = [key for (key,) in cursor.fetchall()]
            for table, column in (*self.companions, (self.table, self.key)):
                cursor.execute(f"delete from {table} where {column} = any(%s)", [keys])  # noqa: S608
        return len(keys)
