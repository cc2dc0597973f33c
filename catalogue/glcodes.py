"""General ledger codes: five segments of fixed width, checked when they are written and again before they are used."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernel.errors import FieldError, Refused


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a code: exactly so many characters of an alphabet, written as a regular expression's class."""

    field: str
    width: int
    alphabet: str
    wanted: str

    @property
    def pattern(self) -> str:
        return f"^[{self.alphabet}]{{{self.width}}}$"

    @property
    def sentence(self) -> str:
        return f"{self.width} {self.wanted}"

    def fits(self, text: str) -> bool:
        return re.fullmatch(f"[{self.alphabet}]{{{self.width}}}", text, re.ASCII) is not None


DIGITS, LETTERS = "digits", "digits or capital letters"
SEGMENTS = (
    Segment("client", 3, "0-9A-Z", LETTERS),
    Segment("responsibility_centre", 5, "0-9A-Z", LETTERS),
    Segment("service_line", 5, "0-9A-Z", LETTERS),
    # The object of expense is always a number: the ledger has sent back a file in which it was the word itself.
    Segment("stob", 4, "0-9", DIGITS),
    Segment("project_code", 7, "0-9A-Z", LETTERS),
)
# What the ledger keeps behind the five: location and a spare part that nobody fills.
TAIL = "000000.0000"


class GLCodeInvalid(Refused):
    """A segment of the GL code is not what the ledger takes."""

    code = "gl-code-invalid"
    title = "GL code invalid"
    next_step = "Correct the named segment of the GL code in the catalogue, then repeat."


def check_segments(
    client: str, responsibility_centre: str, service_line: str, stob: str, project_code: str
) -> list[FieldError]:
    """What is wrong with each segment, in the order of the code; an empty list when it can be sent to the ledger."""
    given = (client, responsibility_centre, service_line, stob, project_code)
    return [
        FieldError(segment.field, "segment-unfit", f"{_title(segment)} is {text!r}: it should be {segment.sentence}.")
        for segment, text in zip(SEGMENTS, given, strict=True)
        if not segment.fits(text)
    ]


def dotted(client: str, responsibility_centre: str, service_line: str, stob: str, project_code: str) -> str:
    """The code as the ledger's interfaces write it: 112.32363.34725.4375.3200000.000000.0000."""
    return ".".join((client, responsibility_centre, service_line, stob, project_code, TAIL))


def _title(segment: Segment) -> str:
    return {"client": "Client", "stob": "STOB"}.get(segment.field, segment.field.replace("_", " ").capitalize())
