"""A CSV file of payments on its way into the staging table: read line by line, nothing guessed, nothing dropped."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from kernel import exactjson
from kernel.errors import Refused
from payments.rules import ACCOUNT_MAX_LENGTH, AMOUNT_MAX, CHANNEL_MAX_LENGTH, REFERENCE_MAX_LENGTH

COLUMNS = (
    "reference_number",
    "loan_account_number",
    "cif",
    "amount",
    "payment_date",
    "payment_channel",
    "metadata",
)
MAX_LENGTHS = {
    "reference_number": REFERENCE_MAX_LENGTH,
    "loan_account_number": ACCOUNT_MAX_LENGTH,
    "cif": ACCOUNT_MAX_LENGTH,
    "payment_channel": CHANNEL_MAX_LENGTH,
}
OPTIONAL = frozenset({"payment_channel", "metadata"})
UNSTORABLE_REASONS = {
    name: f"{name}_invisible_character" for name in ("reference_number", "loan_account_number", "cif")
}
# NUL, and the halves of surrogate pairs: PostgreSQL holds neither.
_unstorable = re.compile("[\\x00\\ud800-\\udfff]")
_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


class StagingFileInvalid(Refused):
    """The file cannot be read as staged payments."""

    code = "staging-file-invalid"
    title = "Staging file cannot be read"
    next_step = f"The first line must name the columns {', '.join(COLUMNS)}."


@dataclass(frozen=True, slots=True)
class StagingLine:
    """One line: its number in the file, its raw content, and either the row to stage or why it cannot be staged."""

    number: int
    raw: dict[str, Any]
    row: tuple[Any, ...] | None
    reasons: tuple[str, ...] = ()


def read_staging_file(lines: Iterable[str]) -> Iterator[StagingLine]:
    """Lines of a CSV file (RFC 4180) with a header, in file order.

    Only what the staging table cannot hold is turned away here (over-long text, an amount or a moment that is none);
    everything else is for the recorder to judge. Raises StagingFileInvalid when the header lacks a column.
    """
    reader = csv.DictReader(lines, restkey="surplus")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise StagingFileInvalid(f"The header lacks {', '.join(missing)}.")
    try:
        for raw in reader:
            yield _line(reader.line_num, dict(raw))
    except csv.Error as error:
        # A quotation mark that never ends makes one field of the rest of the file.
        raise StagingFileInvalid(f"Line {reader.line_num} cannot be read: {error}.") from None


def _line(number: int, raw: dict[str, Any]) -> StagingLine:
    shown = {_storable(name): _storable(text) for name, text in raw.items()}
    if "surplus" in raw or any(raw[name] is None for name in COLUMNS):
        return StagingLine(number, shown, None, ("line_malformed",))
    unstorable = [name for name in COLUMNS if shown[name] != raw[name]]
    if unstorable:
        reasons = [UNSTORABLE_REASONS.get(name, "not_storable") for name in unstorable]
        return StagingLine(number, shown, None, tuple(reasons))
    reasons = [f"{name}_missing" for name in COLUMNS if not raw[name] and name not in OPTIONAL]
    reasons += [f"{name}_too_long" for name, length in MAX_LENGTHS.items() if len(raw[name]) > length]
    amount = _amount(raw["amount"], reasons)
    paid_at = _moment(raw["payment_date"], reasons)
    metadata = _metadata(raw["metadata"], reasons)
    if reasons:
        return StagingLine(number, raw, None, tuple(dict.fromkeys(reasons)))
    texts = (raw["reference_number"], raw["loan_account_number"], raw["cif"])
    return StagingLine(number, raw, (*texts, amount, paid_at, raw["payment_channel"] or None, metadata))


def _storable(part: Any) -> Any:
    """The text or list as a rejection can keep it: what PostgreSQL cannot hold is shown by a sign in its place."""
    if isinstance(part, list):
        return [_storable(member) for member in part]
    return _unstorable.sub("\N{REPLACEMENT CHARACTER}", part) if isinstance(part, str) else part


def _amount(text: str, reasons: list[str]) -> Decimal | None:
    if not text:
        return None
    try:
        # Decimal reads digits of every script, and underscores between them.
        amount = Decimal(text if _number.fullmatch(text.strip()) else "none")
    except InvalidOperation:
        reasons.append("amount_not_a_number")
        return None
    if not amount.is_finite():
        reasons.append("amount_not_a_number")
    elif amount.copy_abs() > Decimal(AMOUNT_MAX):
        reasons.append("amount_too_large")
    elif amount != amount.quantize(Decimal("0.01")):
        # The column would round it, and a rounded amount is another amount.
        reasons.append("amount_too_precise")
    return amount


def _moment(text: str, reasons: list[str]) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # The staging table's moments have no zone; one that has would be stored as if it had none.
    if moment is None or moment.tzinfo is not None:
        reasons.append("payment_date_not_a_moment")
    return moment


def _metadata(text: str, reasons: list[str]) -> str | None:
    if not text:
        return None
    try:
        # As strict as for a webhook: PostgreSQL's own refusal would cost the whole file.
        exactjson.loads(text)
    except exactjson.JsonInvalid:
        reasons.append("metadata_not_json")
    return text
