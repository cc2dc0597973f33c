"""The text of a PDF that reportlab wrote, read from its content streams by the tables that its fonts carry."""

from __future__ import annotations

import base64
import re
import zlib

OBJECT = re.compile(rb"(\d+) 0 obj\s*(.*?)endobj", re.DOTALL)
SHOWN = re.compile(rb"/(F[0-9+]+) [0-9.]+ Tf|\(((?:\\.|[^\\()])*)\) Tj", re.DOTALL)
ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, a line for every piece that was drawn."""
    objects = {int(number): content for number, content in OBJECT.findall(pdf)}
    tables = _tables(objects)
    pages = [content for content in objects.values() if b"/Type /Page\n" in content or b"/Type /Page " in content]
    found = []
    for page in pages:
        contents = re.search(rb"/Contents (\d+) 0 R", page)
        assert contents is not None
        found.append("\n".join(_drawn(_stream(objects[int(contents[1])]), tables)))
    return found


def _drawn(content: bytes, tables: dict[bytes, dict[int, str]]) -> list[str]:
    font, pieces = b"", []
    for named, text in SHOWN.findall(content):
        if named:
            font = named
        elif text:
            table = tables.get(font, {})
            pieces.append("".join(table.get(code, chr(code)) for code in ESCAPED.sub(_byte, text)))
    return pieces


def _byte(escaped: re.Match[bytes]) -> bytes:
    given = escaped[1]
    if len(given) == 3:
        return bytes([int(given, 8)])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}.get(given, given)


def _tables(objects: dict[int, bytes]) -> dict[bytes, dict[int, str]]:
    """By the name of each font, the character of each of its codes."""
    tables = {}
    for content in objects.values():
        name, mapped = re.search(rb"/Name /(F[0-9+]+)", content), re.search(rb"/ToUnicode (\d+) 0 R", content)
        if name and mapped:
            pairs = re.findall(rb"<([0-9A-F]{2})> <([0-9A-F]{4})>", _stream(objects[int(mapped[1])]))
            tables[name[1]] = {int(code, 16): chr(int(letter, 16)) for code, letter in pairs}
    return tables


def _stream(content: bytes) -> bytes:
    head, _, rest = content.partition(b"stream\n")
    length = re.search(rb"/Length (\d+)", head)
    assert length is not None
    raw = rest[: int(length[1])]
    if b"ASCII85Decode" in head:
        raw = base64.a85decode(raw.removesuffix(b"~>"))
    return zlib.decompress(raw) if b"FlateDecode" in head else raw
