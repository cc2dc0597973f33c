"""CSV files on their way into staging: what the table can hold goes in, every other line is kept with its reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from payments.models import PaymentStaging, StagingRejection
from payments.stagingfile import COLUMNS, StagingFileInvalid, read_staging_file
from tests.payments.staged import count, prepare_staging

HEADER = ",".join(COLUMNS)
GOOD = 'REF-1,LN1,CIF1,10.50,2026-11-20 10:00:00,generic,"{""a"": 1}"'


def lines_of(*lines: str) -> list[str]:
    return [f"{HEADER}\n", *[f"{line}\n" for line in lines]]


def reasons_of(line: str) -> tuple[str, ...]:
    [read] = read_staging_file(lines_of(line))
    assert (read.row is None) == bool(read.reasons)
    return read.reasons


def test_a_good_line_becomes_a_row_with_its_number() -> None:
    [line] = read_staging_file(lines_of(GOOD))

    assert line.number == 2
    assert line.row is not None
    assert (str(line.row[3]), line.row[5], line.row[6]) == ("10.50", "generic", '{"a": 1}')


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        ("REF,123456789012345678901,CIF1,1,2026-11-20,,", ("loan_account_number_too_long",)),
        (f"{'R' * 256},LN1,CIF1,1,2026-11-20,,", ("reference_number_too_long",)),
        (",LN1,CIF1,1,2026-11-20,,", ("reference_number_missing",)),
        ("REF,LN1,CIF1,,2026-11-20,,", ("amount_missing",)),
        ("REF,LN1,CIF1,ten,2026-11-20,,", ("amount_not_a_number",)),
        ("REF,LN1,CIF1,NaN,2026-11-20,,", ("amount_not_a_number",)),
        ("REF,LN1,CIF1,1.005,2026-11-20,,", ("amount_too_precise",)),
        ("REF,LN1,CIF1,1e30,2026-11-20,,", ("amount_too_large",)),
        ("REF,LN1,CIF1,1,20 November,,", ("payment_date_not_a_moment",)),
        ("REF,LN1,CIF1,1,2026-11-20T10:00:00Z,,", ("payment_date_not_a_moment",)),
        ("REF,LN1,CIF1,1,2026-02-30,,", ("payment_date_not_a_moment",)),
        ("REF,LN1,CIF1,1,2026-11-20,,{", ("metadata_not_json",)),
        ("REF,LN1,CIF1,1", ("line_malformed",)),
        ("REF,LN1,CIF1,1,2026-11-20,,,extra", ("line_malformed",)),
        ("REF,LN1,,x,2026-11-20,,", ("cif_missing", "amount_not_a_number")),
    ],
)
def test_a_line_that_the_table_cannot_hold_says_every_reason(line: str, reasons: tuple[str, ...]) -> None:
    assert reasons_of(line) == reasons


def test_a_negative_amount_goes_in_because_judging_is_the_recorders() -> None:
    assert reasons_of("REF,LN1,CIF1,-75.00,2026-11-20,,") == ()


def test_a_header_without_a_column_is_refused_by_name() -> None:
    with pytest.raises(StagingFileInvalid, match="cif, metadata"):
        list(read_staging_file(["reference_number,loan_account_number,amount,payment_date,payment_channel\n"]))


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters='\r\n"\x00'), max_size=60))
def test_any_line_is_staged_or_kept_with_reasons(text: str) -> None:
    for line in read_staging_file(lines_of(text)):
        assert (line.row is None) == bool(line.reasons)


@pytest.mark.django_db(transaction=True)
class TestCommand:
    @pytest.fixture(autouse=True)
    def _staging(self) -> None:
        prepare_staging()

    def write(self, folder: Path, content: bytes) -> str:
        path = folder / "payments.csv"
        path.write_bytes(content)
        return str(path)

    def test_good_lines_are_staged_and_bad_ones_kept_with_file_and_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = "".join(lines_of(GOOD, "REF-2,LN1,CIF1,ten,2026-11-20,,", "")).encode("utf-8-sig")

        call_command("stage_payments", self.write(tmp_path, content))

        assert capsys.readouterr().out == "1 rows staged, 1 lines kept as rejections.\n"
        assert PaymentStaging.objects.get().reference_number == "REF-1"
        rejection = StagingRejection.objects.get()
        assert (rejection.origin, rejection.reasons) == ("payments.csv line 3", ["amount_not_a_number"])

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"reference_number\nREF\n", "header lacks"),
            ("".join(lines_of(GOOD)).encode() + b"\xff\n", "not UTF-8"),
        ],
    )
    def test_a_file_that_cannot_be_read_whole_stages_nothing(
        self, tmp_path: Path, content: bytes, sentence: str
    ) -> None:
        with pytest.raises(CommandError, match=sentence):
            call_command("stage_payments", self.write(tmp_path, content))

        assert count("payment_staging") == count("staging_rejection") == 0

    def test_a_file_that_is_not_there_is_said_in_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be read: No such file"):
            call_command("stage_payments", str(tmp_path / "missing.csv"))
