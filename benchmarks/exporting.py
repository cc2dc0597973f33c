"""`python -m benchmarks.exporting <way>`: invoices as a file, once, in a process of its own; prints what it took."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from invoices.querysets import InvoiceQuerySet

STATUS = Path("/proc/self/status")


class Sink:
    """Where the file goes: counted, and kept only when it is asked for."""

    def __init__(self, kept: io.BytesIO | None) -> None:
        self.bytes = 0
        self._kept = kept

    def write(self, block: bytes) -> None:
        self.bytes += len(block)
        if self._kept is not None:
            self._kept.write(block)


def ours(invoices: InvoiceQuerySet, form: str) -> Iterable[bytes]:
    """The product's own export, as its view answers."""
    from invoices.exports import invoices_export
    from kernel.restapi.exports import csv_response, json_response

    respond = {"csv": csv_response, "json": json_response}[form]
    return cast(Iterable[bytes], respond(invoices_export(invoices), "invoices", from_replica=False).streaming_content)


def framework(invoices: InvoiceQuerySet, form: str) -> Iterator[bytes]:
    """The same rows and columns by REST framework's serializer over models."""
    from rest_framework.renderers import JSONRenderer

    from invoices.exports import COLUMNS

    rows = invoices.select_related("account").order_by("-created_at", "-pk")
    data = _serializer()(rows, many=True).data
    if form == "json":
        yield JSONRenderer().render(data)
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(name for name, _, _ in COLUMNS)
    writer.writerows(
        [json.dumps(value) if isinstance(value, list) else value for value in row.values()] for row in data
    )
    yield text.getvalue().encode()


def bare(invoices: InvoiceQuerySet, _: str) -> Iterator[bytes]:
    """The limit: PostgreSQL's COPY of the same columns as they are."""
    from django.db import connection

    from invoices.exports import invoices_export

    export = invoices_export(invoices)
    statement = f"copy ({export.query}) to stdout (format csv)"
    connection.ensure_connection()
    with connection.connection.cursor() as cursor, cursor.copy(statement, export.parameters or None) as blocks:
        for block in blocks:
            yield bytes(block)


def _serializer() -> Any:
    from rest_framework import serializers

    from invoices.exports import COLUMNS
    from kernel.restapi.exportcolumns import Kind

    def field(kind: Kind, source: str, name: str) -> serializers.Field:
        path = source.replace("__", ".")
        asked = {} if path == name else {"source": path}
        if kind == Kind.DECIMAL:
            return serializers.DecimalField(max_digits=15, decimal_places=2, **asked)  # type: ignore[arg-type]
        kinds = {Kind.INTEGER: serializers.IntegerField, Kind.MOMENT: serializers.DateTimeField}
        return kinds.get(kind, serializers.JSONField if kind == Kind.JSON else serializers.CharField)(**asked)

    fields = {name: field(kind, source, name) for name, kind, source in COLUMNS}
    return type("InvoiceRow", (serializers.Serializer,), fields)


WAYS = {"ours": ours, "framework": framework, "bare": bare}


def write_file(way: str, invoices: InvoiceQuerySet, kept: io.BytesIO | None = None) -> int:
    """Writes the file of one way (`ours-csv`, `framework-json`, `bare-csv`); how many bytes it has."""
    name, form = way.split("-")
    sink = Sink(kept)
    for block in WAYS[name](invoices, form):
        sink.write(block)
    return sink.bytes


def main() -> None:
    import django

    django.setup()
    from invoices.models import Invoice

    way = sys.argv[1]
    # One row first: whatever is imported, connected and compiled once is there before, as it is in a web process.
    write_file(way, Invoice.objects.filter(pk=1))
    before = _memory_mb("VmRSS")
    # From here on the kernel keeps the highest figure anew.
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    size = write_file(way, Invoice.objects.all())
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "added_mb": _memory_mb("VmHWM") - before, "bytes": size}))


def _memory_mb(name: str) -> float:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    main()
