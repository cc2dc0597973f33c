"""What a column of an export holds, and how PostgreSQL writes it: money as text, moments in UTC, no formulas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ ]{0,62}", re.ASCII)

# A cell that begins with one of these is run as a formula by a spreadsheet that opens the file; the last four are the
# full-width forms that some of them read as the first four.
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
HARMLESS_PREFIX = "'"


class Kind(StrEnum):
    # The value is the type that PostgreSQL knows it by.
    TEXT = "text"
    INTEGER = "bigint"
    # An exact number, which leaves as text: "12.50".
    DECIMAL = "numeric"
    MOMENT = "timestamptz"
    DATE = "date"
    BOOLEAN = "boolean"
    UUID = "uuid"
    JSON = "jsonb"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the heading (letters, digits, _ and spaces), and what it holds."""

    name: str
    kind: Kind = Kind.TEXT

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.name) is None:
            raise ValueError(f"{self.name!r} cannot head a column.")


def neutralised(text: str) -> str:
    """The text as a cell that no spreadsheet runs as a formula: with ' before it, if it begins like one."""
    return HARMLESS_PREFIX + text if text.startswith(tuple(FORMULA_STARTS)) else text


def csv_expression(source: str, kind: Kind) -> str:
    """SQL that writes this column as a cell of CSV."""
    if kind == Kind.TEXT:
        starts = ", ".join(str(ord(letter)) for letter in FORMULA_STARTS)
        return f"case when ascii({source}) in ({starts}) then '''' || {source} else {source} end"
    if kind == Kind.MOMENT:
        return _moment(source)
    # A number may begin with a minus and a JSON text with a quote: neither is read as a formula.
    return f"{source}::{kind}::text"


def json_expression(source: str, kind: Kind) -> str:
    """SQL that writes this column as a member of a JSON object."""
    if kind == Kind.DECIMAL:
        return f"{source}::text"
    if kind == Kind.MOMENT:
        return _moment(source)
    return f"{source}::{kind}"


def _moment(source: str) -> str:
    """As the API writes it elsewhere: 2026-11-05T12:00:00Z, with six digits of a second when there are any."""
    day_and_time = 'YYYY-MM-DD"T"HH24:MI:SS'
    return (
        f"to_char({source} at time zone 'UTC', case when date_trunc('second', {source}) = {source} "
        f"then '{day_and_time}\"Z\"' else '{day_and_time}.US\"Z\"' end)"
    )
