"""Every column of ours whose text is encrypted at rest, found from the models, and its rows in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection

from kernel.fields import EncryptedTextField

CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """Where tokens are: names of the table, of its primary key and of the column, as the database has them."""

    table: str
    key: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    def count(self) -> int:
        """How many rows hold a token."""
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {self._table} where {self._column} <> ''")  # noqa: S608
            return int(cursor.fetchone()[0])

    def chunks(self) -> Iterator[list[tuple[Any, str]]]:
        """Keys and tokens in the order of the keys, so many at a time; read anew for each chunk."""
        chunk = self._after(None)
        while chunk:
            yield chunk
            chunk = self._after(chunk[-1][0])

    def exchange(self, tokens: list[tuple[Any, str, str]]) -> int:
        """Puts new tokens in the place of old ones: (key, old, new). Gives how many rows still held the old one."""
        sql = f"update {self._table} set {self._column} = %s where {self._key} = %s and {self._column} = %s"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.executemany(sql, [(new, key, old) for key, old, new in tokens])
            return cursor.rowcount if tokens else 0

    def _after(self, key: Any) -> list[tuple[Any, str]]:
        beyond = "" if key is None else f"and {self._key} > %s"
        sql = (
            f"select {self._key}, {self._column} from {self._table} where {self._column} <> '' {beyond} "  # noqa: S608
            f"order by {self._key} limit {CHUNK_ROWS}"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [] if key is None else [key])
            return cursor.fetchall()

    @property
    def _table(self) -> str:
        return connection.ops.quote_name(self.table)

    @property
    def _key(self) -> str:
        return connection.ops.quote_name(self.key)

    @property
    def _column(self) -> str:
        return connection.ops.quote_name(self.column)


def encrypted_columns() -> list[EncryptedColumn]:
    """Those of every installed app, in the order of their names."""
    found = [
        EncryptedColumn(model._meta.db_table, str(model._meta.pk.column), str(field.column))
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, EncryptedTextField)
    ]
    return sorted(found, key=str)
