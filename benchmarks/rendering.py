"""T2: many invoices as CSV and as JSON, beside REST framework's serializer; each in a process of its own.

Their PDF is a matter of statements, which come later, and is not measured here.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from django.conf import settings

from benchmarks.billed import make_accounts, make_catalogue, put_invoices
from benchmarks.exporting import write_file
from benchmarks.figures import at_most, spread, table, verdict
from benchmarks.sizes import Size
from benchmarks.stand import Stand

TEMPLATE = "bench_exported_invoices"
FORMS = {"csv": ("CSV", 10.0), "json": ("JSON", 4.0)}
ADDED_MB = 30


@dataclass(frozen=True, slots=True)
class Written:
    """One file, written once: its time, the memory that came to the process meanwhile, and its size."""

    seconds: float
    added_mb: float
    bytes: int


def measure(stand: Stand, size: Size) -> None:
    def fill() -> None:
        at = datetime.now(UTC)
        catalogue, accounts = make_catalogue(), make_accounts(at=at)
        put_invoices(size.exported_invoices, catalogue=catalogue, accounts=accounts, until=at - timedelta(hours=1))

    stand.make_template(fill, template=TEMPLATE)
    stand.fresh_database(template=TEMPLATE)
    _require_equal_files(size.exported_invoices)
    written: dict[str, list[Written]] = {f"{name}-{form}": [] for form in FORMS for name in ("framework", "ours")}
    written["bare-csv"] = []
    ratios: dict[str, list[float]] = {form: [] for form in FORMS}
    for repetition in range(size.repetitions):
        for form in FORMS:
            # What is compared with comes first and last.
            first = _written(f"framework-{form}")
            mine = _written(f"ours-{form}")
            if form == "csv":
                written["bare-csv"].append(_written("bare-csv"))
            last = _written(f"framework-{form}")
            written[f"framework-{form}"] += [first, last]
            written[f"ours-{form}"].append(mine)
            ratios[form].append((first.seconds + last.seconds) / 2 / mine.seconds)
        times = ", ".join(f"{FORMS[form][0]} {found[-1]:.1f}" for form, found in ratios.items())
        print(f"rendering, repetition {repetition + 1} of {size.repetitions}: times as fast: {times}")
    stand.drop_template(TEMPLATE)
    _report(size, written, ratios)


def _written(way: str) -> Written:
    command = [sys.executable, "-m", "benchmarks.exporting", way]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Written(**json.loads(done.stdout.splitlines()[-1]))


def _require_equal_files(rows: int) -> None:
    """Both ways say the same of every invoice, to the letter."""
    from invoices.models import Invoice

    def read(way: str) -> list[dict[str, str]]:
        kept = io.BytesIO()
        write_file(way, Invoice.objects.all(), kept)
        text = kept.getvalue().decode()
        return json.loads(text) if way.endswith("json") else list(csv.DictReader(io.StringIO(text)))

    for form in FORMS:
        ours, framework = read(f"ours-{form}"), read(f"framework-{form}")
        assert len(ours) == rows, (form, len(ours))
        assert ours == framework, next(pair for pair in zip(ours, framework, strict=True) if pair[0] != pair[1])


def _report(size: Size, written: dict[str, list[Written]], ratios: dict[str, list[float]]) -> None:
    print(f"\nrendering: {size.exported_invoices:,} invoices, {_columns()} columns, n = {size.repetitions}")
    rows = [
        _row("CSV, limit: COPY of the bare columns", written["bare-csv"], ""),
        _row("CSV, our export", written["ours-csv"], spread(ratios["csv"], digits=1)),
        _row("CSV, REST framework's serializer", written["framework-csv"], "1"),
        _row("JSON, our export", written["ours-json"], spread(ratios["json"], digits=1)),
        _row("JSON, REST framework's serializer", written["framework-json"], "1"),
    ]
    print(table(["", "seconds", "times as fast", "MB added to the process", "MB of file"], rows) + "\n")
    for form, (name, goal) in FORMS.items():
        rates = [1 / each.seconds for each in written[f"framework-{form}"]]
        print(verdict(f"T2 {name} of {size.exported_invoices:,} invoices, framework / ours", goal, ratios[form], rates))
    added = max(each.added_mb for form in FORMS for each in written[f"ours-{form}"])
    print(at_most("T2 memory added by our export, the largest", ADDED_MB, added, "MB") + "\n")


def _columns() -> int:
    from invoices.exports import COLUMNS

    return len(COLUMNS)


def _row(name: str, files: list[Written], ratio: str) -> list[str]:
    return [
        name,
        spread([each.seconds for each in files]),
        ratio,
        spread([each.added_mb for each in files], digits=1),
        f"{median(each.bytes for each in files) / 1e6:.1f}",
    ]
