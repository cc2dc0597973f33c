"""Names of files: no path, nothing invisible, nothing that a program takes for more than a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.notes.filenames import FORMULA_STARTS, LONGEST_NAME, UNFIT, clean_name, ending_of


@pytest.mark.parametrize(
    ("given_name", "cleaned"),
    [
        ("scan.pdf", "scan.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\x\\scan.pdf", "scan.pdf"),
        ("/absolute/scan.pdf", "scan.pdf"),
        ("scan\u202efdp.exe", "scanfdp.exe"),
        ("a\x00b\r\nc\t.pdf", "abc.pdf"),
        ("zero\u200bwidth\ufeff.txt", "zerowidth.txt"),
        ("line\u2028end.txt", "line end.txt"),
        ("  . .hidden.txt . ", "hidden.txt"),
        ("=cmd|' /c calc'!A0.csv", "c calc_!A0.csv"),
        ("@sum.csv", "sum.csv"),
        ("-rf.csv", "rf.csv"),
        ('<a href="x">.txt', "_a href=_x__.txt"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        ("", "file"),
        ("...", "file"),
        ("a/", "file"),
        ("Beleg é.pdf", "Beleg é.pdf"),
        ("e\u0301.pdf", "é.pdf"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("x" * 300, "x" * 150),
    ],
)
def test_a_name_is_cleaned(given_name: str, cleaned: str) -> None:
    assert clean_name(given_name) == cleaned


@given(st.text(max_size=400))
def test_whatever_is_given_the_name_is_fit_and_stays_as_it_is_when_cleaned_again(text: str) -> None:
    name = clean_name(text)
    assert 0 < len(name) <= LONGEST_NAME + 1
    assert not set(name) & (UNFIT | {"/", "\\"})
    assert name[0] not in f". {FORMULA_STARTS}"
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for sign in name)
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("name", "ending"), [("a.PDF", "pdf"), ("a.pdf.exe", "exe"), ("a", ""), ("a.tar.gz", "gz"), (".txt", "")]
)
def test_only_the_last_ending_counts(name: str, ending: str) -> None:
    assert ending_of(name) == ending
