"""A file's name as it may be kept and sent: no path, nothing invisible, nothing that a program would take for more."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

LONGEST_NAME = 150
# Characters that some file system, header or shell gives a meaning.
UNFIT = frozenset("<>:\"|?*%`$;&'{}[]")
# Names that Windows keeps for devices, with any ending.
RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)
# A spreadsheet takes a cell that begins so for a formula.
FORMULA_STARTS = "=+-@"


def clean_name(given: str) -> str:
    """The last part of the path, without control and format characters (right-to-left marks among them).

    Never empty, never hidden, at most 150 characters with its ending kept. Cleaning a clean name changes nothing.
    """
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    # Cc control, Cf format (overrides of direction, zero width), Cs surrogates, Co private use, Zl and Zp line ends.
    visible = "".join(
        " " if unicodedata.category(sign) in ("Zs", "Zl", "Zp") else sign
        for sign in last
        if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    fit = "".join("_" if sign in UNFIT else sign for sign in visible)
    trimmed = " ".join(fit.split()).lstrip(". " + FORMULA_STARTS).rstrip(". ")
    named = _shortened(trimmed or "file")
    return f"_{named}" if named.partition(".")[0].strip().lower() in RESERVED else named


def ending_of(name: str) -> str:
    """The last ending in small letters, without its dot; empty when there is none."""
    return PurePosixPath(name).suffix[1:].lower()


def _shortened(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    ending = PurePosixPath(name).suffix
    if not 0 < len(ending) <= 10:
        return name[:LONGEST_NAME].rstrip(". ")
    return name[: LONGEST_NAME - len(ending)].rstrip(". ") + ending
