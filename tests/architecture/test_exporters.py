"""No file that we write for a spreadsheet holds a formula: every writer of CSV or of a workbook is tried here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from tablib import Dataset

from catalogue.exchange import SafeCSV
from kernel.restapi.exportcolumns import FORMULA_STARTS, Column
from kernel.restapi.exports import Export, csv_response
from tests.architecture.sources import PRODUCT, named, python_files

# What a file that writes for spreadsheets has in it.
WRITES = re.compile(
    r"csv\.(writer|DictWriter)\(|^(from|import) (tablib|openpyxl|xlsxwriter)|\(format csv\)", re.MULTILINE
)


def streamed(text: str) -> str:
    response = csv_response(Export([Column("cell")], "select %s::text", (text,)), "cells")
    return b"".join(response).decode()


def of_the_catalogue(text: str) -> str:
    return str(SafeCSV().export_data(Dataset([text], headers=["cell"])))


EXPORTERS: dict[str, Callable[[str], str]] = {
    "kernel/restapi/exports.py": streamed,
    "catalogue/exchange.py": of_the_catalogue,
}


def test_every_writer_is_tried() -> None:
    writers = {named(file) for file in python_files(*PRODUCT) if WRITES.search(file.read_text())}
    assert writers == set(EXPORTERS), "Add the writer to EXPORTERS, so that its cells are tried."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("start", FORMULA_STARTS)
@pytest.mark.parametrize("write", EXPORTERS.values(), ids=EXPORTERS)
def test_a_cell_that_begins_like_a_formula_is_marked_as_text(write: Callable[[str], str], start: str) -> None:
    assert list(csv.reader(io.StringIO(write(f"{start}1+1"), newline="")))[1] == [f"'{start}1+1"]
    assert list(csv.reader(io.StringIO(write(f"1{start}1"), newline="")))[1] == [f"1{start}1"]
