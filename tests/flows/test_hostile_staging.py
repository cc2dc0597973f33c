"""Hostile rows in the staging table and hostile lines in its files: each is kept with its reason, alone."""

from __future__ import annotations

import json
import logging
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payments.models import Payment, PaymentStaging, StagingRejection
from payments.operations.staging import record_chunk
from payments.recorder import staging_table
from payments.stagingfile import COLUMNS, read_staging_file
from tests.console.people import signed_in
from tests.flows.hostility import ACCOUNT, CIF, assert_said_nothing, logged_by
from tests.payments.staged import AT, a_row, count, everything_counted, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


def record() -> None:
    assert record_chunk(batch_size=1000, after_id=0, attempt=1, at=AT) is not None


ROWS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "NaN": ({"amount": "NaN"}, ["amount_not_a_number"]),
    "zero": ({"amount": "0"}, ["amount_not_positive"]),
    "negative": ({"amount": "-0.01"}, ["amount_not_positive"]),
    # The column has two decimals: what PostgreSQL rounds to nothing is nothing.
    "a tenth of a cent": ({"amount": "0.001"}, ["amount_not_positive"]),
    "the year 0001": ({"payment_date": "0001-01-01 00:00:00"}, ["payment_date_too_old"]),
    "before Christ": ({"payment_date": "4000-01-01 00:00:00 BC"}, ["payment_date_too_old"]),
    "the year 9999": ({"payment_date": "9999-12-31 23:59:59"}, ["payment_date_in_future"]),
    "the year 200000": ({"payment_date": "200000-01-01 00:00:00"}, ["payment_date_in_future"]),
    "infinity": ({"payment_date": "infinity"}, ["payment_date_in_future"]),
    "minus infinity": ({"payment_date": "-infinity"}, ["payment_date_too_old"]),
    "an empty reference": ({"reference_number": ""}, ["reference_number_missing"]),
    "blanks alone": ({"reference_number": " \t\r\n"}, ["reference_number_missing"]),
    "a right-to-left override": ({"reference_number": "A\u202eB"}, ["reference_number_invisible_character"]),
    "a zero-width blank": ({"loan_account_number": "A\u200bB"}, ["loan_account_number_invisible_character"]),
    "a control character": ({"cif": "A\u0001"}, ["cif_invisible_character"]),
    "255 that come apart": ({"reference_number": "\u0958" * 255}, ["reference_number_too_long"]),
    "metadata that is a list": ({"metadata": "[1]"}, ["metadata_not_an_object"]),
    "metadata that is text": ({"metadata": '"text"'}, ["metadata_not_an_object"]),
    "metadata of 5 MB": (
        {"metadata": json.dumps({str(n): f"filler {n * 7919}" for n in range(150_000)})},
        ["metadata_too_large"],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_hostile_row_is_kept_with_its_reason_and_the_row_beside_it_is_recorded(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    changes, reasons = ROWS[name]
    caplog.set_level(logging.DEBUG)
    private = {"loan_account_number": ACCOUNT, "cif": CIF}
    stage(a_row("HOSTILE", **(private | changes)), a_row("GOOD", **private))
    record()
    assert StagingRejection.objects.get().reasons == reasons
    assert [payment.reference_number for payment in Payment.objects.all()] == ["GOOD"]
    assert everything_counted() == {
        "payments": 1,
        "payment_references": 1,
        "outbox_event": 1,
        "outbox_delivery": 1,
        "staging_rejection": 1,
        "reference_conflict": 0,
        "staging_duplicate": 0,
        "staging_process_log": 1,
    }
    assert_said_nothing(logged_by(caplog))


def test_metadata_of_ten_thousand_levels_harms_nobody() -> None:
    deep = "[" * 5_000 + "]" * 5_000
    stage(a_row("DEEP", metadata=f'{{"a": {deep}}}'), a_row("GOOD"))
    record()
    assert count("payments") + count("staging_rejection") == 2
    assert Payment.objects.filter(reference_number="GOOD").exists()


@pytest.mark.parametrize("name", ["infinity", "before Christ", "the year 200000", "NaN", "a right-to-left override"])
def test_the_console_shows_a_hostile_row_and_its_rejection(name: str) -> None:
    stage(a_row("HOSTILE", **ROWS[name][0]))
    client = signed_in("operator")
    assert client.get("/admin/payments/paymentstaging/").status_code == 200
    record()
    rejection = StagingRejection.objects.get()
    assert client.get("/admin/payments/stagingrejection/").status_code == 200
    assert client.get(f"/admin/payments/stagingrejection/{rejection.pk}/change/").status_code == 200


GOOD_LINE = "GOOD,LN1,CIF1,10.50,2026-11-20 10:00:00,generic,"
LINES: dict[str, tuple[str, list[str]]] = {
    "NUL in the reference": ("A\x00B,LN1,CIF1,1,2026-11-20,,", ["reference_number_invisible_character"]),
    "NUL in the metadata": ('REF,LN1,CIF1,1,2026-11-20,,"{""a"": ""\x00""}"', ["not_storable"]),
    "NUL beside too many columns": ("A\x00,LN1,CIF1,1,2026-11-20,,,x\x00", ["line_malformed"]),
    "an escaped NUL": ('REF,LN1,CIF1,1,2026-11-20,,"{""a"": ""\\u0000""}"', ["metadata_not_json"]),
    "half a surrogate pair": ('REF,LN1,CIF1,1,2026-11-20,,"{""a"": ""\\ud800""}"', ["metadata_not_json"]),
    "10,000 levels": (f"REF,LN1,CIF1,1,2026-11-20,,{'[' * 10_000}", ["metadata_not_json"]),
    "NaN in the metadata": ('REF,LN1,CIF1,1,2026-11-20,,"{""a"": NaN}"', ["metadata_not_json"]),
    "a monstrous exponent": ('REF,LN1,CIF1,1,2026-11-20,,"{""a"": 1e999999999}"', ["metadata_not_json"]),
    "a name twice": ('REF,LN1,CIF1,1,2026-11-20,,"{""a"": 1, ""a"": 2}"', ["metadata_not_json"]),
    "an exponent beyond Decimal": ("REF,LN1,CIF1,1e99999999999999999999,2026-11-20,,", ["amount_not_a_number"]),
    "a huge exponent": ("REF,LN1,CIF1,1e999999999,2026-11-20,,", ["amount_too_large"]),
    "a tiny exponent": ("REF,LN1,CIF1,1e-999999,2026-11-20,,", ["amount_too_precise"]),
    "Infinity": ("REF,LN1,CIF1,-Infinity,2026-11-20,,", ["amount_not_a_number"]),
    "Arabic digits": ("REF,LN1,CIF1,\u0661\u0662,2026-11-20,,", ["amount_not_a_number"]),
    "underscores": ("REF,LN1,CIF1,1_000,2026-11-20,,", ["amount_not_a_number"]),
    "24:00": ("REF,LN1,CIF1,1,2026-11-20 24:00:00,,", ["payment_date_not_a_moment"]),
    "a leap second": ("REF,LN1,CIF1,1,2016-12-31 23:59:60,,", ["payment_date_not_a_moment"]),
    "30 February": ("REF,LN1,CIF1,1,2026-02-30 10:00:00,,", ["payment_date_not_a_moment"]),
    "full-width digits in a date": ("REF,LN1,CIF1,1,\uff12\uff10\uff12\uff16-11-20,,", ["payment_date_not_a_moment"]),
    "256 characters": (f"{'R' * 256},LN1,CIF1,1,2026-11-20,,", ["reference_number_too_long"]),
}


def staged_from(folder: Path, *lines: str) -> str:
    path = folder / "hostile.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    said = StringIO()
    call_command("stage_payments", str(path), stdout=said)
    return said.getvalue()


@pytest.mark.parametrize("name", LINES)
def test_a_hostile_line_is_kept_with_its_reason_and_the_line_beside_it_is_staged(name: str, tmp_path: Path) -> None:
    line, reasons = LINES[name]
    assert staged_from(tmp_path, line, GOOD_LINE) == "1 rows staged, 1 lines kept as rejections.\n"
    assert StagingRejection.objects.get().reasons == reasons
    assert [row.reference_number for row in PaymentStaging.objects.all()] == ["GOOD"]


def test_a_field_without_end_refuses_the_file_and_stages_nothing(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"Line .* cannot be read: field larger than field limit"):
        staged_from(tmp_path, GOOD_LINE, '"' + "x" * 200_000)
    assert (count(staging_table()), StagingRejection.objects.count()) == (0, 0)


def test_bytes_that_are_no_utf8_refuse_the_file_and_stage_nothing(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(",".join(COLUMNS).encode() + b"\nREF-\xe9,LN1,CIF1,1,2026-11-20,,\n")
    with pytest.raises(CommandError, match="is not UTF-8 at byte"):
        call_command("stage_payments", str(path))
    assert StagingRejection.objects.count() == 0


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20), min_size=7, max_size=8))
@example(fields=["\x00"] * 7)
@example(fields=["R", "L", "C", "1e5", "0001-01-01", "", '{"a": 1e400}'])
def test_whatever_stands_in_a_line_is_staged_or_kept(fields: list[str], tmp_path: Path) -> None:
    line = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    before = (count(staging_table()), StagingRejection.objects.count())
    path = tmp_path / "any.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{line}\n", encoding="utf-8", newline="")
    call_command("stage_payments", str(path), stdout=StringIO())
    grown = (count(staging_table()) - before[0], StagingRejection.objects.count() - before[1])
    with path.open(encoding="utf-8-sig", newline="") as lines:
        read = list(read_staging_file(lines))
    assert sum(grown) == len(read)
    assert grown[0] == sum(one.row is not None for one in read)
