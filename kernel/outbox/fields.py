"""A set of event positions as one PostgreSQL value: int8multirange, in which runs of neighbours cost nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from psycopg.types.multirange import Int8Multirange
from psycopg.types.range import Int8Range

if TYPE_CHECKING:
    FieldBase = models.Field[Iterable[int], Any]
    LookupBase = models.Lookup[Any]
else:
    FieldBase, LookupBase = models.Field, models.Lookup


class PositionsField(FieldBase):
    """Holds whole numbers as an int8multirange; filter with `positions__holds=<position>`."""

    description = "A set of positions"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "int8multirange"

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Int8Multirange) else as_ranges(value)


@PositionsField.register_lookup
class Holds(LookupBase):
    """True where the set holds the position; PostgreSQL answers it from the GiST index."""

    lookup_name = "holds"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} @> ({right})::bigint", (*left_params, *right_params)

    def get_db_prep_lookup(self, value: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        return "%s", (int(value),)


def as_ranges(positions: Iterable[int]) -> Int8Multirange:
    """The positions as half-open ranges, neighbours joined: {1, 2, 3, 7} becomes [1,4) and [7,8)."""
    ranges: list[Int8Range] = []
    start = end = None
    for position in sorted(set(positions)):
        if position == end:
            end = position + 1
            continue
        if start is not None:
            ranges.append(Int8Range(start, end))
        start, end = position, position + 1
    if start is not None:
        ranges.append(Int8Range(start, end))
    return Int8Multirange(ranges)
