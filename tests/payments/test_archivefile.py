"""The archive's file: what is written is read back, and a single wrong byte is noticed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.archivefile import (
    ArchiveDamaged,
    ArchiveWriter,
    Column,
    Figures,
    Manifest,
    Tally,
    check_bytes,
    checked_rows,
    manifest_path,
    unpacked,
    writing,
)

COLUMNS = (
    Column("reference_number", "character varying(255)", True),
    Column("amount", "numeric(15,2)", True),
    Column("currency", "character varying(3)", True),
    Column("payment_date", "timestamp with time zone", True),
)
HEADER = b"reference_number\tamount\tcurrency\tpayment_date\n"
MADE_AT = datetime(2026, 11, 24, 1, tzinfo=UTC)

amounts = st.decimals(min_value="0.01", max_value="9999999999999.99", places=2)
moments = st.datetimes(min_value=datetime(2024, 2, 1), max_value=datetime(2024, 2, 29, 23, 59, 59, 999999))
rows = st.lists(
    st.tuples(st.sampled_from(["CAD", "USD", "JPY"]), amounts, moments.map(lambda at: at.replace(tzinfo=UTC)))
)


def spelled(at: datetime) -> str:
    """As PostgreSQL writes a moment in UTC: no trailing zeros in the fraction."""
    text = f"{at:%Y-%m-%d %H:%M:%S}"
    return text + (f".{at.microsecond:06d}".rstrip("0") if at.microsecond else "") + "+00"


def written(folder: Path, lines: list[bytes], *, block_bytes: int = 7) -> tuple[Path, Manifest]:
    """An archive of these lines, fed in blocks that end anywhere."""
    path, text = folder / "month.tsv.gz", HEADER + b"".join(lines)
    with writing(path) as target:
        writer, tally = ArchiveWriter(target), Tally(COLUMNS)
        for start in range(0, len(text), block_bytes):
            writer.write(text[start : start + block_bytes])
            tally.feed(text[start : start + block_bytes])
        content = writer.finish()
    manifest = Manifest("payments", "2024-02", 1, path.name, tally.figures(), content, COLUMNS, "1.0.0", MADE_AT)
    with writing(manifest_path(path)) as target:
        target.write(manifest.as_bytes())
    return path, manifest


def a_line(number: int, amount: str = "12.30", currency: str = "CAD", paid: str = "2024-02-03 10:00:00+00") -> bytes:
    return f"REF-{number}\t{amount}\t{currency}\t{paid}\n".encode()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, block_bytes=st.integers(1, 200))
def test_rows_come_back_as_they_went_in_and_add_up(
    tmp_path: Path, rows: list[tuple[str, Decimal, datetime]], block_bytes: int
) -> None:
    lines = [a_line(n, str(amount), currency, spelled(at)) for n, (currency, amount, at) in enumerate(rows)]

    path, manifest = written(tmp_path, lines, block_bytes=block_bytes)

    check_bytes(path, manifest)
    assert b"".join(checked_rows(path, manifest)) == HEADER + b"".join(lines)
    moments_paid = [at for _, _, at in rows]
    sums: dict[str, Decimal] = {}
    for currency, amount, _ in rows:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    assert manifest.figures == Figures(
        len(rows), sums, min(moments_paid, default=None), max(moments_paid, default=None)
    )
    assert Manifest.from_json(json.loads(manifest.as_bytes())) == manifest


def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [a_line(1)], block_bytes=3)
    first = path.read_bytes()
    path, _ = written(tmp_path, [a_line(1)], block_bytes=1000)

    assert path.read_bytes() == first


def test_any_byte_that_is_another_is_noticed_in_the_file_and_in_the_manifest(tmp_path: Path) -> None:
    path, manifest = written(tmp_path, [a_line(n) for n in range(40)])

    for damaged in (path, manifest_path(path)):
        good = damaged.read_bytes()
        for place in range(len(good)):
            damaged.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            with pytest.raises(ArchiveDamaged, match="month"):
                check_bytes(path, manifest)
        damaged.write_bytes(good)
    check_bytes(path, manifest)


@pytest.mark.parametrize("which", ["file", "manifest"])
def test_a_file_that_is_cut_off_longer_or_gone_is_noticed(tmp_path: Path, which: str) -> None:
    path, manifest = written(tmp_path, [a_line(1)])
    damaged = path if which == "file" else manifest_path(path)
    good = damaged.read_bytes()

    for content in (good[:-1], good + b"\0", b""):
        damaged.write_bytes(content)
        with pytest.raises(ArchiveDamaged):
            check_bytes(path, manifest)
    damaged.unlink()
    with pytest.raises(ArchiveDamaged, match="cannot be read"):
        check_bytes(path, manifest)


def test_rows_that_are_not_those_of_the_manifest_are_named_by_their_figures(tmp_path: Path) -> None:
    _, expected = written(tmp_path, [a_line(1), a_line(2)])
    path, _ = written(tmp_path, [a_line(1, amount="12.31"), a_line(2)])

    with pytest.raises(ArchiveDamaged) as damage:
        list(checked_rows(path, expected))

    assert "amounts is {'CAD': '24.61'}, expected {'CAD': '24.60'}" in damage.value.detail
    assert "sha256" in damage.value.detail
    assert "rows" not in damage.value.detail


def test_what_is_no_gzip_cannot_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "month.tsv.gz"
    path.write_bytes(b"not compressed at all")

    with pytest.raises(ArchiveDamaged, match="cannot be unpacked"):
        list(unpacked(path))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "month.tsv.gz"

    with pytest.raises(TypeError), writing(path) as target:
        target.writelines([b"half", "not bytes"])  # type: ignore[list-item]

    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_of_an_earlier_try_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "month.tsv.gz"
    path.with_name(f".{path.name}.partial").write_bytes(b"x" * 1000)

    with writing(path) as target:
        target.write(b"whole")

    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [(path.name, b"whole")]


def test_only_its_owner_may_read_an_archive(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [a_line(1)])

    assert [file.stat().st_mode & 0o777 for file in (path, manifest_path(path))] == [0o600, 0o600]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "columns"),
        (b"amount\tcurrency\n", "columns"),
        (HEADER + b"REF\t1.00\tCAD\n", "3 columns"),
        (HEADER + b"REF\t1.00\tCAD\t2024-02-03 10:00:00+00", "cut off"),
    ],
)
def test_rows_of_another_shape_are_refused(text: bytes, said: str) -> None:
    def add_up() -> Figures:
        tally = Tally(COLUMNS)
        tally.feed(text)
        return tally.figures()

    with pytest.raises(ArchiveDamaged, match=said):
        add_up()


@pytest.mark.parametrize("broken", [{}, {"format": "other/9"}, {"format": "paymentsite-archive/1", "table": 1}])
def test_a_manifest_that_is_none_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ArchiveDamaged, match="manifest"):
        Manifest.from_json(broken)
