"""A column type of PostgreSQL that Django has no field for."""

from __future__ import annotations

from typing import Any

from django.db import models


class PositionsField(models.Field):
    """An int8multirange: exactly the positions that a seal covers, as text such as `{[1,7),[9,12)}` in Python."""

    def db_type(self, connection: Any) -> str:
        return "int8multirange"

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"{sql}::text", params

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s::int8multirange"
