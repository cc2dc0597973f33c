from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.glcodes import SEGMENTS, check_segments, dotted

FIT = ("112", "32363", "34725", "4375", "3200000")


def test_a_code_that_the_ledger_takes_has_nothing_wrong() -> None:
    assert check_segments(*FIT) == []
    assert check_segments("A1B", "0ABCD", "ZZZZZ", "0000", "32C0000") == []


def test_the_dotted_form_has_the_two_parts_behind_the_five() -> None:
    assert dotted(*FIT) == "112.32363.34725.4375.3200000.000000.0000"


@pytest.mark.parametrize("stob", ["stob", "STOB", "43a5", "437", "43755", "", " 437", "4375\n", "４３７５"])
def test_a_stob_is_four_digits_and_never_the_word(stob: str) -> None:
    """A code whose STOB was the text "stob" has reached files, which came back a day later."""
    wrong = check_segments("112", "32363", "34725", stob, "3200000")

    assert [error.field for error in wrong] == ["stob"]
    assert wrong[0].message == f"STOB is {stob!r}: it should be 4 digits."


@pytest.mark.parametrize(
    ("position", "text"),
    [(0, "11"), (0, "ab1"), (1, "3236"), (1, "32.63"), (2, "347251"), (4, "320000"), (4, "320000x"), (4, "")],
)
def test_each_segment_has_its_width_and_its_letters(position: int, text: str) -> None:
    given_segments = list(FIT)
    given_segments[position] = text

    assert [error.field for error in check_segments(*given_segments)] == [SEGMENTS[position].field]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert [error.field for error in check_segments("", "", "", "", "")] == [segment.field for segment in SEGMENTS]


def test_the_five_segments_are_24_characters() -> None:
    assert sum(segment.width for segment in SEGMENTS) == 24


@given(
    st.tuples(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
)
def test_only_what_fits_the_file_goes_through(segments: tuple[str, str, str, str, str]) -> None:
    if not check_segments(*segments):
        assert re.fullmatch(r"[0-9A-Z]{13}[0-9]{4}[0-9A-Z]{7}", "".join(segments), re.ASCII)
