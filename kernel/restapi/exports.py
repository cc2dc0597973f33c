"""Answers of any size: PostgreSQL writes the CSV or JSON, and it passes through here a block at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.utils import OperationalError
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from psycopg.errors import QueryCanceled

from kernel.errors import Unavailable
from kernel.patience import PatientConnection
from kernel.reading import ReadTookTooLong
from kernel.replicas import REPLICA, rest
from kernel.restapi.exportcolumns import Column, csv_expression, json_expression

logger = logging.getLogger(__name__)

BLOCK_BYTES = 65_536
# Neither occurs in JSON that PostgreSQL writes, so nothing of it is quoted or doubled on its way.
UNQUOTED = r"format csv, quote E'\x01', delimiter E'\x02'"
BROKEN_OFF = "export-broken-off: rows are missing from here on; export again"
LIMITS = """
    select set_config('transaction_read_only', 'on', true), set_config('statement_timeout', %s, true),
           set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true)
"""


class ExportsBusy(Unavailable):
    """As many exports as may run at once are running."""

    code = "exports-busy"
    title = "Too many exports at once"
    next_step = "Repeat the same request after the time in Retry-After, or narrow what is exported."


@dataclass(frozen=True, slots=True)
class Export:
    """Rows of a query, one column each for what it selects, in its order. `query` is SQL of ours with %s for values."""

    columns: Sequence[Column]
    query: str
    parameters: Sequence[Any] = field(default=())

    @classmethod
    def of(cls, rows: QuerySet[Any, Any], columns: Sequence[Column]) -> Export:
        """Of a queryset that ends in values_list() with as many fields as columns, in the same order."""
        try:
            query, parameters = rows.query.sql_with_params()
        except EmptyResultSet:
            nothing = ", ".join(f"null::{column.kind}" for column in columns)
            return cls(columns, f"select {nothing} where false")
        return cls(columns, query, tuple(parameters))

    @property
    def heading(self) -> bytes:
        return (",".join(column.name for column in self.columns) + "\n").encode()

    def csv_statement(self) -> str:
        cells = ", ".join(csv_expression(source, column.kind) for source, column in self._sources())
        return f"copy (select {cells} from {self._source}) to stdout (format csv)"  # noqa: S608 - our SQL

    def json_statement(self) -> str:
        members = ", ".join(
            f'{json_expression(source, column.kind)} as "{column.name}"' for source, column in self._sources()
        )
        line = f"select {members} from {self._source}"  # noqa: S608 - our SQL, and names of columns that were checked
        return f"copy (select row_to_json(line) from ({line}) as line) to stdout ({UNQUOTED})"  # noqa: S608

    @property
    def _source(self) -> str:
        return f"({self.query}) as source ({', '.join(source for source, _ in self._sources())})"

    def _sources(self) -> Iterator[tuple[str, Column]]:
        return ((f"c{number}", column) for number, column in enumerate(self.columns, start=1))


def csv_response(export: Export, filename: str, *, from_replica: bool = True) -> StreamingHttpResponse:
    """text/csv with a heading, as a file of that name. Text that begins like a formula gets a ' before it.

    Raises ReadTookTooLong, ExportsBusy and what the database raises (503) before the first byte. When something goes
    wrong later, one cell that says so is the last line, so that half an export does not look like a whole one.
    """
    lines = _stream(export, export.csv_statement(), from_replica=from_replica)
    whole = _or_broken_off(chain([export.heading], lines), f'"{BROKEN_OFF}"\n')
    return _response(_blocks(whole), lines, "text/csv; charset=utf-8", f"{filename}.csv")


def json_response(export: Export, filename: str, *, from_replica: bool = True) -> StreamingHttpResponse:
    """application/json: one array of objects, one object a line. Raises as csv_response does.

    When something goes wrong later, the array is not closed, which no reader of JSON accepts.
    """
    lines = _stream(export, export.json_statement(), from_replica=from_replica)
    return _response(_blocks(_or_broken_off(_as_array(lines), "")), lines, "application/json", f"{filename}.json")


def ndjson_response(export: Export, filename: str, *, from_replica: bool = True) -> StreamingHttpResponse:
    """application/x-ndjson: an object a line, readable while it arrives. Raises as csv_response does.

    When something goes wrong later, the last line is an object with the one member `problem`.
    """
    lines = _stream(export, export.json_statement(), from_replica=from_replica)
    whole = _or_broken_off(lines, f'{{"problem": "{BROKEN_OFF}"}}\n')
    return _response(_blocks(whole), lines, "application/x-ndjson", f"{filename}.ndjson")


def _or_broken_off(lines: Iterable[bytes], last: str) -> Iterator[bytes]:
    """The lines; when they break off, `last`. The status has been sent by then, and Granian ends the answer cleanly."""
    try:
        yield from lines
    except Exception:
        logger.exception("An export broke off", extra={"action": "export"})
        yield last.encode()


class _Lines:
    """The lines of one COPY. Begun before it is made, so that what is wrong with the query is known in time."""

    def __init__(self, lines: Generator[bytes]) -> None:
        self._lines = lines
        self._first: bytes | None = next(lines, None)

    def __iter__(self) -> Iterator[bytes]:
        if self._first is not None:
            yield self._first
            self._first = None
            yield from self._lines

    def close(self) -> None:
        self._lines.close()


def _response(body: Iterable[bytes], lines: _Lines, content_type: str, filename: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(body, content_type=content_type)
    # A body that nobody has begun to read would not end the query by itself when the client goes away.
    response._resource_closers.append(lines.close)  # type: ignore[attr-defined]
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=filename) or ""
    response["Cache-Control"] = "no-store"
    return response


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= BLOCK_BYTES:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)


def _as_array(lines: Iterable[bytes]) -> Iterator[bytes]:
    before = b"[\n"
    for line in lines:
        # The end of a line comes after its comma.
        yield before + line[:-1]
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _stream(export: Export, statement: str, *, from_replica: bool) -> _Lines:
    if from_replica and REPLICA in connections.settings and rest.is_over():
        try:
            return _Lines(_copied(REPLICA, statement, export.parameters))
        except (psycopg.OperationalError, OperationalError) as error:
            rest.begin()
            extra = {"action": "export", "cause": type(error).__name__}
            logger.warning("The replica did not answer; the primary does", extra=extra)
    return _Lines(_copied(DEFAULT_DB_ALIAS, statement, export.parameters))


def _copied(alias: str, statement: str, parameters: Sequence[Any]) -> Generator[bytes]:
    milliseconds: int = settings.EXPORT_TIMEOUT_MS
    with _place(), _own_connection(alias, milliseconds) as connection:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(LIMITS, [str(milliseconds)])
                with cursor.copy(_merged(statement, parameters), parameters or None) as lines:
                    for line in lines:
                        yield bytes(line)
        except QueryCanceled as error:
            raise ReadTookTooLong(f"The export was ended after {milliseconds / 1000:g} s.") from error


def _merged(statement: str, parameters: Sequence[Any]) -> Any:
    # Without parameters psycopg leaves the text as it is, while the query was written for both.
    return (statement if parameters else statement.replace("%%", "%")).encode()


@contextmanager
def _own_connection(alias: str, milliseconds: int) -> Iterator[psycopg.Connection]:
    """A connection of this export alone: whichever thread the web server reads the answer with, it stays the same."""
    wrapper: Any = connections.create_connection(alias)
    wrapper.inc_thread_sharing()
    with closing(wrapper):
        wrapper.ensure_connection()
        connection: psycopg.Connection = wrapper.connection
        if not isinstance(connection, PatientConnection):
            yield connection
            return
        # One row may take as long as the whole export: sorting comes before the first.
        before = connection.longest_seconds
        connection.longest_seconds = milliseconds / 1000 + 1
        try:
            yield connection
        finally:
            connection.longest_seconds = before


class _Places:
    """How many exports run in this process: each holds a connection for as long as its reader takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> None:
        with self._lock:
            if self.taken >= settings.EXPORTS_AT_ONCE:
                raise ExportsBusy(retry_after_seconds=10)
            self.taken += 1

    def leave(self) -> None:
        with self._lock:
            self.taken -= 1


places = _Places()


@contextmanager
def _place() -> Iterator[None]:
    places.take()
    try:
        yield
    finally:
        places.leave()
