"""Which kinds of file are kept, and whether a content is of the kind that its name claims. Knows no Django."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable

from kernel.errors import Refused
from kernel.notes.filenames import ending_of

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "csv": "text/csv",
    "txt": "text/plain",
    "docx": DOCX,
    "xlsx": XLSX,
    "eml": "message/rfc822",
}
KNOWN_STARTS = (
    b"%PDF-",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"PK\x03\x04",
    b"GIF8",
    b"MZ",
    b"\x7fELF",
    b"\xd0\xcf\x11\xe0",
    b"\x1f\x8b",
)
# A browser that is made to guess would run these.
MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|script|svg|iframe|\?xml)", re.IGNORECASE)
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
MAIL_HEADER = re.compile(rb"(?:From |[!-9;-~]{1,76}:[ \t])")
ZIP_MEMBERS_LIMIT = 5000
# A cell that a spreadsheet would take for a formula; a signed number is none.
FORMULA = re.compile(r"[=@]|[+-](?!\s*[\d.,()$ ]*$)")
FORMULA_CELLS_LIMIT = 200_000


class FileRefused(Refused):
    """This file is not kept."""

    code = "file-refused"
    next_step = "Attach a PDF, PNG, JPEG, CSV, TXT, DOCX, XLSX or EML file whose content is what its name says."


def media_type_of(name: str, content: bytes) -> str:
    """The media type of a file by its ending, once its content has shown to be of that kind. Raises FileRefused."""
    ending = ending_of(name)
    if ending not in MEDIA_TYPES:
        kinds = ", ".join(sorted(MEDIA_TYPES))
        raise FileRefused(
            f"Files that end in {f'.{ending}' if ending else 'nothing'} are not kept; these are: {kinds}."
        )
    if not content:
        raise FileRefused("The file is empty.")
    if not _LOOKS_LIKE[ending](content):
        raise FileRefused(f"The content of the file is not that of a .{ending} file.")
    return MEDIA_TYPES[ending]


def holds_formulas(media_type: str, content: bytes) -> bool:
    """True for a CSV file with a cell that a spreadsheet would calculate, or one that is too big to look through."""
    if media_type != "text/csv":
        return False
    text = content.decode("utf-8-sig", errors="replace")
    seen = 0
    for delimiter in (",", ";", "\t"):
        try:
            for row in csv.reader(io.StringIO(text), delimiter=delimiter):
                seen += len(row)
                if seen > FORMULA_CELLS_LIMIT * 3 or any(FORMULA.match(cell.strip()) for cell in row):
                    return True
        except csv.Error:
            return True
    return False


def _is_text(content: bytes) -> bool:
    return not content.startswith(KNOWN_STARTS) and not CONTROLS.search(content) and not MARKUP.match(content)


def _is_mail(content: bytes) -> bool:
    return _is_text(content) and MAIL_HEADER.match(content.removeprefix(b"\xef\xbb\xbf")) is not None


def _is_office(folder: str) -> Callable[[bytes], bool]:
    """Looks at the directory of the archive only: nothing is unpacked, so nothing can grow."""

    def is_office(content: bytes) -> bool:
        if not content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            return False
        if len(names) > ZIP_MEMBERS_LIMIT or any(name.lower().endswith("vbaproject.bin") for name in names):
            return False
        return "[Content_Types].xml" in names and any(name.startswith(f"{folder}/") for name in names)

    return is_office


_LOOKS_LIKE: dict[str, Callable[[bytes], bool]] = {
    "pdf": lambda content: content.startswith(b"%PDF-"),
    "png": lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"),
    "jpg": lambda content: content.startswith(b"\xff\xd8\xff"),
    "jpeg": lambda content: content.startswith(b"\xff\xd8\xff"),
    "csv": _is_text,
    "txt": _is_text,
    "docx": _is_office("word"),
    "xlsx": _is_office("xl"),
    "eml": _is_mail,
}
