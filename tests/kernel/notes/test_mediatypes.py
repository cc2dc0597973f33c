"""Which files are kept: those of nine kinds whose content is what their name says."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.notes.mediatypes import DOCX, MEDIA_TYPES, XLSX, FileRefused, holds_formulas, media_type_of


def office(*names: str) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for name in names:
            archive.writestr(name, "<xml/>")
    return kept.getvalue()


WORD, EXCEL = office("[Content_Types].xml", "word/document.xml"), office("[Content_Types].xml", "xl/workbook.xml")
CONTENTS = {
    "pdf": b"%PDF-1.4 x",
    "png": b"\x89PNG\r\n\x1a\nx",
    "jpg": b"\xff\xd8\xff\xe0x",
    "jpeg": b"\xff\xd8\xff\xe0x",
    "csv": b"a,b\r\n1,2\r\n",
    "txt": "Grüße, 12,50 €".encode(),
    "docx": WORD,
    "xlsx": EXCEL,
    "eml": b"From: a@example.org\r\nSubject: x\r\n\r\nHello",
}


@pytest.mark.parametrize("ending", sorted(MEDIA_TYPES))
def test_each_kind_is_known_by_its_content(ending: str) -> None:
    assert media_type_of(f"x.{ending}", CONTENTS[ending]) == MEDIA_TYPES[ending]


@pytest.mark.parametrize(
    ("claimed", "real"),
    [
        (claimed, real)
        for claimed in sorted(MEDIA_TYPES)
        for real in ("pdf", "png", "jpg", "docx", "xlsx")
        if MEDIA_TYPES[claimed] != MEDIA_TYPES[real]
    ],
)
def test_a_content_of_another_kind_is_refused(claimed: str, real: str) -> None:
    with pytest.raises(FileRefused):
        media_type_of(f"x.{claimed}", CONTENTS[real])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.html", b"<html>"),
        ("x.svg", b"<svg/>"),
        ("x.exe", b"MZ"),
        ("x.pdf.exe", CONTENTS["pdf"]),
        ("x.xlsm", EXCEL),
        ("x", b"text"),
        ("x.txt", b""),
        ("x.txt", b"MZ\x90"),
        ("x.txt", b"a\x00b"),
        ("x.txt", b"\xef\xbb\xbf  <!DOCTYPE html>"),
        ("x.csv", b" \n<script>alert(1)</script>"),
        ("x.eml", b"Just text, no headers"),
        ("x.eml", b"<html>"),
        ("x.docx", b"PK\x03\x04 broken"),
        ("x.docx", office("word/document.xml")),
        ("x.docx", office("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("x.docx", office("anything.txt")),
    ],
)
def test_what_is_not_of_a_kept_kind_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(FileRefused):
        media_type_of(name, content)


@given(st.binary(max_size=200), st.sampled_from(sorted(MEDIA_TYPES)))
def test_no_content_brings_the_look_down(content: bytes, ending: str) -> None:
    try:
        media_type = media_type_of(f"x.{ending}", content)
    except FileRefused:
        return
    assert media_type == MEDIA_TYPES[ending]
    assert holds_formulas(media_type, content) in (True, False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name,amount\nA,12.50\nB,-3.00\nC,+1 604 555\nD,-\n", False),
        (b"name,amount\nA,=1+1\n", True),
        (b"name;amount\nA;=1+1\n", True),
        (b"name\tamount\nA\t@SUM(A1)\n", True),
        (b'name,amount\n"=HYPERLINK(""x"")",1\n', True),
        (b"name\n  =1\n", True),
        (b"name\n-2+3+cmd|' /C calc'!A0\n", True),
        (b"\xef\xbb\xbf=1\n", True),
        (b'"' + b"x" * 200_000 + b'"\n', True),
    ],
)
def test_formulas_of_a_csv_file_are_found(content: bytes, expected: bool) -> None:
    assert holds_formulas("text/csv", content) is expected


@pytest.mark.parametrize("media_type", ["text/plain", "application/pdf", DOCX, XLSX])
def test_only_a_csv_file_is_opened_by_a_spreadsheet_as_cells(media_type: str) -> None:
    assert not holds_formulas(media_type, b"=1+1")
