"""The file that a month of payments is archived in, and its manifest: written whole or not at all, read back in full.

The file is gzip over PostgreSQL's text COPY format with a line of column names. The manifest says what it holds.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from kernel.errors import Conflict
from kernel.money import EXACT

FORMAT = "paymentsite-archive/1"
BLOCK_BYTES = 1024 * 1024
# Beyond this, gzip takes three times as long to save another two per cent.
COMPRESSION = 6
CURRENCY, AMOUNT, PAID_AT = "currency", "amount", "payment_date"


class ArchiveDamaged(Conflict):
    """The archive file is not what its manifest says; nothing was changed."""

    code = "archive-damaged"
    title = "Archive file damaged"
    next_step = "Put back the file and its manifest from a backup copy of ARCHIVE_FOLDER, then repeat."


@dataclass(frozen=True, slots=True)
class Column:
    """A column as PostgreSQL spells it: name, type with its length, whether every row must have a value."""

    name: str
    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What rows add up to: how many, the sum of amounts by currency, the first and the last moment of payment."""

    rows: int
    amounts: dict[str, Decimal]
    oldest: datetime | None
    newest: datetime | None

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "amounts": {currency: str(amount) for currency, amount in sorted(self.amounts.items())},
            "oldest_payment_date": self.oldest.isoformat() if self.oldest else None,
            "newest_payment_date": self.newest.isoformat() if self.newest else None,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Figures:
        oldest, newest = given["oldest_payment_date"], given["newest_payment_date"]
        return cls(
            rows=given["rows"],
            amounts={currency: Decimal(amount) for currency, amount in given["amounts"].items()},
            oldest=datetime.fromisoformat(oldest) if oldest else None,
            newest=datetime.fromisoformat(newest) if newest else None,
        )


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of an archive: how many there are and their SHA-256, compressed (the file) and not (the rows)."""

    sha256_compressed: str
    sha256_uncompressed: str
    bytes_compressed: int
    bytes_uncompressed: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive file holds. `month` is such as 2025-01; parts of one month count from 1."""

    table: str
    month: str
    part: int
    file: str
    figures: Figures
    content: Content
    columns: tuple[Column, ...]
    software_version: str
    made_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "table": self.table,
            "month": self.month,
            "part": self.part,
            "file": self.file,
            **self.figures.as_json(),
            **asdict(self.content),
            "columns": [asdict(column) for column in self.columns],
            "software_version": self.software_version,
            "made_at": self.made_at.isoformat(),
        }

    def as_bytes(self) -> bytes:
        return (json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Manifest:
        """Raises ArchiveDamaged when it is not a manifest of this format."""
        try:
            if given["format"] != FORMAT:
                raise ArchiveDamaged(f"The manifest is of the format {given['format']}, not {FORMAT}.")
            return cls(
                table=given["table"],
                month=given["month"],
                part=given["part"],
                file=given["file"],
                figures=Figures.from_json(given),
                content=Content(**{name: given[name] for name in Content.__slots__}),
                columns=tuple(Column(**column) for column in given["columns"]),
                software_version=given["software_version"],
                made_at=datetime.fromisoformat(given["made_at"]),
            )
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise ArchiveDamaged(f"The manifest cannot be read: {type(error).__name__} {error}.") from error


class Tally:
    """Adds up rows in COPY's text format while their bytes pass by; the first line is the column names."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._names = [column.name for column in columns]
        self._places = [self._names.index(name) for name in (CURRENCY, AMOUNT, PAID_AT)]
        self._rest = b""
        self._header: bytes | None = None
        self._rows = 0
        self._amounts: dict[bytes, Decimal] = {}
        self._oldest = self._newest = b""

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        if lines and self._header is None:
            self._header, *lines = lines
        currency_at, amount_at, paid_at = self._places
        for line in lines:
            values = line.split(b"\t")
            if len(values) != len(self._names):
                raise ArchiveDamaged(f"A row of the archive has {len(values)} columns and not {len(self._names)}.")
            currency, paid = values[currency_at], values[paid_at]
            amount = Decimal(values[amount_at].decode())
            self._amounts[currency] = EXACT.add(self._amounts.get(currency, Decimal(0)), amount)
            # All in UTC and written alike, so that their order as text is their order in time.
            if not self._oldest or paid < self._oldest:
                self._oldest = paid
            if paid > self._newest:
                self._newest = paid
        self._rows += len(lines)

    def figures(self) -> Figures:
        """Raises ArchiveDamaged when the columns are others, or the last row is cut off."""
        if self._header is None or self._header.decode().split("\t") != self._names:
            raise ArchiveDamaged("The columns of the archive are not those of its manifest.")
        if self._rest:
            raise ArchiveDamaged("The last row of the archive is cut off.")
        return Figures(
            rows=self._rows,
            amounts={currency.decode(): amount for currency, amount in self._amounts.items()},
            oldest=datetime.fromisoformat(self._oldest.decode()) if self._oldest else None,
            newest=datetime.fromisoformat(self._newest.decode()) if self._newest else None,
        )


class ArchiveWriter:
    """Takes rows block by block, compresses and digests them on the way; see `writing`."""

    def __init__(self, target: BinaryIO) -> None:
        self._compressed = _Digested(target)
        self._digest = hashlib.sha256()
        self._bytes = 0
        # No name and no time in its header, so that the same rows always make the same file.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=self._compressed, compresslevel=COMPRESSION, mtime=0)

    def write(self, block: bytes | memoryview) -> None:
        self._digest.update(block)
        self._bytes += len(block)
        self._gzip.write(block)

    def finish(self) -> Content:
        self._gzip.close()
        return Content(
            sha256_compressed=self._compressed.digest.hexdigest(),
            sha256_uncompressed=self._digest.hexdigest(),
            bytes_compressed=self._compressed.bytes,
            bytes_uncompressed=self._bytes,
        )


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block has ended well, complete and on the disk, and not before."""
    # One name for every try, so that what a crash leaves behind is overwritten by the next.
    draft = path.with_name(f".{path.name}.partial")
    try:
        # For this user alone, as the database is.
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A new name is only sure to be there after a power cut once its folder is on the disk too.
        os.fsync(folder)
    finally:
        os.close(folder)


def manifest_path(path: Path) -> Path:
    """Where the manifest of this archive file is: beside it."""
    return path.with_name(f"{path.name}.manifest.json")


def check_bytes(path: Path, manifest: Manifest) -> None:
    """Compares the file's bytes and the manifest beside it with `manifest`. Raises ArchiveDamaged naming what differs.

    Reads the file once, without unpacking it.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as source:
            while block := source.read(BLOCK_BYTES):
                digest.update(block)
                size += len(block)
        beside = manifest_path(path).read_bytes()
    except OSError as error:
        raise ArchiveDamaged(f"{error.filename} cannot be read: {error.strerror}.", file=str(error.filename)) from error
    expected = manifest.content
    if size != expected.bytes_compressed:
        raise ArchiveDamaged(
            f"{path.name} has {size:,} bytes, and its manifest says {expected.bytes_compressed:,}.", file=str(path)
        )
    if digest.hexdigest() != expected.sha256_compressed:
        raise ArchiveDamaged(
            f"{path.name} has the SHA-256 {digest.hexdigest()}, and its manifest says {expected.sha256_compressed}.",
            file=str(path),
        )
    if beside != manifest.as_bytes():
        name = manifest_path(path)
        raise ArchiveDamaged(f"{name.name} is not the manifest that the database keeps.", file=str(name))


def unpacked(path: Path) -> Iterator[bytes]:
    """The rows of the file, block by block. Raises ArchiveDamaged where they cannot be unpacked."""
    try:
        with gzip.open(path, "rb") as source:
            while block := source.read(BLOCK_BYTES):
                yield block
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveDamaged(f"{path.name} cannot be unpacked: {error}.", file=str(path)) from error


def checked_rows(path: Path, manifest: Manifest) -> Iterator[bytes]:
    """As `unpacked`; after the last block the rows are held against the manifest. Raises ArchiveDamaged."""
    digest, size, tally = hashlib.sha256(), 0, Tally(manifest.columns)
    for block in unpacked(path):
        digest.update(block)
        size += len(block)
        tally.feed(block)
        yield block
    refuse_difference(
        path.name,
        found={"sha256": digest.hexdigest(), "bytes": size, **tally.figures().as_json()},
        expected={
            "sha256": manifest.content.sha256_uncompressed,
            "bytes": manifest.content.bytes_uncompressed,
            **manifest.figures.as_json(),
        },
    )


def refuse_difference(name: str, *, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises ArchiveDamaged naming every figure that is not as expected."""
    different = [
        f"{figure} is {found[figure]}, expected {value}" for figure, value in expected.items() if found[figure] != value
    ]
    if different:
        raise ArchiveDamaged(f"{name}: {'; '.join(different)}.", difference=different)


class _Digested:
    """A file to write to that keeps the digest and the number of the bytes which went through."""

    def __init__(self, target: BinaryIO) -> None:
        self.target = target
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, block: bytes) -> int:
        self.digest.update(block)
        self.bytes += len(block)
        return self.target.write(block)

    def flush(self) -> None:
        self.target.flush()
