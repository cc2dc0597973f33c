"""Model fields that the database of ours needs and Django does not bring."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import Lookup
from django.db.models.sql.compiler import SQLCompiler
from django.utils.dateparse import parse_date, parse_datetime
from psycopg.types.multirange import Int8Multirange
from psycopg.types.range import Int8Range

from kernel.crypto import decrypt_text, encrypt_text

if TYPE_CHECKING:
    PositionsBase = models.Field[str | Iterable[int], str]
    PositionsLookup = Lookup[Any]
else:
    PositionsBase, PositionsLookup = models.Field, Lookup

ZONE_NOT_WANTED = "A date and time without a zone is wanted here."


def naive_datetime(value: object) -> datetime | None:
    """A datetime without zone from a datetime, a date or ISO 8601 text; empty gives None. Raises ValidationError."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = _from_text(value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValidationError(ZONE_NOT_WANTED, code="zone")
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    raise ValidationError("A date and time such as 2026-11-05 13:45:00 is wanted here.", code="invalid")


def _from_text(value: str) -> datetime | date | None:
    text = value.strip()
    try:
        return parse_datetime(text) or parse_date(text)
    except ValueError:
        raise ValidationError("There is no such date and time.", code="invalid") from None


class NaiveDateTimeFormField(forms.Field):
    """One text input, read and shown as it is, whatever the zone of whoever looks."""

    def to_python(self, value: Any) -> datetime | None:
        return naive_datetime(value)

    def prepare_value(self, value: Any) -> Any:
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value


class NaiveDateTimeField(models.DateTimeField):
    """A `timestamp` column without zone, as other systems write it: naive when read and naive when written."""

    description = "Date and time without zone"
    # PostgreSQL's moments reach further than Python's, to infinity: read, they end at the last that Python has.
    earliest, latest = "0001-01-01", "9999-12-31 23:59:59.999999"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("auto_now") or kwargs.get("auto_now_add"):
            raise ValueError("A column without zone cannot be filled from the clock: give the value.")
        super().__init__(*args, **kwargs)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "timestamp"

    def to_python(self, value: Any) -> datetime | None:
        return naive_datetime(value)

    def get_prep_value(self, value: Any) -> Any:
        # Not DateTimeField's own, which gives a naive value the zone of the process, with a warning.
        return self.to_python(models.Field.get_prep_value(self, value))

    def select_format(self, compiler: SQLCompiler, sql: str, params: Any) -> tuple[str, Any]:
        held = (
            f"case when {sql} < '{self.earliest}' then timestamp '{self.earliest}' "
            f"when {sql} > '{self.latest}' then timestamp '{self.latest}' else {sql} end"
        )
        return held, [*params, *params, *params]

    def formfield(self, **kwargs: Any) -> Any:
        # The admin asks for its split widget, which converts to the reader's zone.
        kwargs |= {"form_class": NaiveDateTimeFormField, "widget": forms.TextInput}
        return models.Field.formfield(self, **kwargs)


class EncryptedTextField(models.TextField):
    """Text that the database holds as a Fernet token. None and '' stay as they are; it can be searched by isnull only.

    Reading raises kernel.crypto.SecretUnreadable when no key of FIELD_ENCRYPTION_KEYS fits.
    """

    description = "Encrypted text"

    def from_db_value(self, value: str | None, expression: object, connection: BaseDatabaseWrapper) -> str | None:
        return decrypt_text(value) if value else value

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        stored = super().get_db_prep_save(value, connection)
        return encrypt_text(stored) if isinstance(stored, str) and stored else stored

    def get_lookup(self, lookup_name: str) -> type[Lookup[Any]] | None:
        # The same text gives another token each time, so that a comparison in SQL could only mislead.
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


class MoneyField(models.DecimalField):
    """numeric(15,2) unless told otherwise; the currency is in a column of its own. Always read as Decimal."""

    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        max_digits: int = 15,
        decimal_places: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(verbose_name, name, max_digits=max_digits, decimal_places=decimal_places, **kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, float):
            raise ValidationError("Money is never a float: give a Decimal or text.", code="float")
        return super().to_python(value)


class PositionsField(PositionsBase):
    """A set of whole numbers as an int8multirange, in which runs of neighbours cost nothing.

    Written from the numbers or from PostgreSQL's text of the value, and read as that text: `{[1,7),[9,12)}`, which the
    seals of the audit digest. Filter with `positions__holds=<position>`.
    """

    description = "A set of positions"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "int8multirange"

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str | Int8Multirange) else as_ranges(value)

    def get_placeholder(self, value: Any, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> str:
        return "%s::int8multirange"

    def select_format(self, compiler: SQLCompiler, sql: str, params: Any) -> tuple[str, Any]:
        return f"{sql}::text", params


@PositionsField.register_lookup
class Holds(PositionsLookup):
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
