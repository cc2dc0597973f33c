from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from structlog.contextvars import clear_contextvars

from kernel.reading import ReadTookTooLong
from kernel.restapi.exportcolumns import FORMULA_STARTS, Column, Kind, neutralised
from kernel.restapi.exports import BROKEN_OFF, Export, ExportsBusy, csv_response, json_response, ndjson_response, places
from kernel.restapi.exportviews import EXPORT_RENDERERS, export_response
from kernel.restapi.renderers import answer_json

pytestmark = pytest.mark.django_db(transaction=True)
factory = APIRequestFactory()
ALL_KINDS = [
    Column("number", Kind.INTEGER),
    Column("name"),
    Column("amount", Kind.DECIMAL),
    Column("at", Kind.MOMENT),
    Column("day", Kind.DATE),
    Column("paid", Kind.BOOLEAN),
    Column("id", Kind.UUID),
    Column("details", Kind.JSON),
]
ONE_OF_EACH = """
    select 7, %s::text, 12.50::numeric(15,2), %s::timestamptz, date '2026-03-01', true, %s::uuid, '{"a": 0.10}'::jsonb
"""
AWKWARD = 'a "quoted", \\back\\slash\\n\ttab\r\nline\u2028 é 😀 \x01\x02'
AT = datetime(2026, 3, 8, 10, 30, 15, 120, tzinfo=UTC)
SERIES = "select number, 'n' || number from (select generate_series(1, %s) as number) numbers"
TWO = [Column("number", Kind.INTEGER), Column("name")]


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    yield
    clear_contextvars()
    assert places.taken == 0


def read(response: Any) -> bytes:
    try:
        return b"".join(response)
    finally:
        response.close()


def cells(export: Export) -> list[list[str]]:
    return list(csv.reader(io.StringIO(read(csv_response(export, "things")).decode(), newline="")))


def one_of_each(name: str = AWKWARD, at: datetime = AT) -> Export:
    return Export(ALL_KINDS, ONE_OF_EACH, (name, at, UUID(int=7)))


def test_csv_has_a_heading_and_every_kind_as_the_api_writes_it() -> None:
    assert cells(one_of_each()) == [
        [column.name for column in ALL_KINDS],
        ["7", AWKWARD, "12.50", "2026-03-08T10:30:15.000120Z", "2026-03-01", "true", str(UUID(int=7)), '{"a": 0.10}'],
    ]


@pytest.mark.parametrize("respond", [json_response, ndjson_response])
def test_json_is_what_the_api_writes(respond: Any) -> None:
    raw = read(respond(one_of_each(), "things"))
    parsed = json.loads(raw, parse_float=Decimal)
    row = parsed[0] if respond is json_response else parsed
    written = answer_json({"amount": Decimal("12.50"), "at": AT, "day": date(2026, 3, 1), "id": UUID(int=7)})
    assert {name: row[name] for name in ("amount", "at", "day", "id")} == json.loads(written)
    assert (row["number"], row["name"], row["paid"], row["details"]) == (7, AWKWARD, True, {"a": Decimal("0.10")})


@pytest.mark.parametrize(
    "at", [AT, AT.replace(microsecond=0), AT.replace(microsecond=500_000), AT.replace(year=1999, hour=0)]
)
def test_a_moment_reads_as_elsewhere_in_the_api(at: datetime) -> None:
    expected = json.loads(answer_json(at))
    assert cells(one_of_each(at=at))[1][3] == expected
    assert json.loads(read(ndjson_response(one_of_each(at=at), "x")))["at"] == expected


def test_what_is_null_is_empty_in_csv_and_null_in_json() -> None:
    export = Export(ALL_KINDS, "select " + ", ".join(f"null::{column.kind}" for column in ALL_KINDS))
    assert cells(export)[1] == [""] * len(ALL_KINDS)
    assert set(json.loads(read(json_response(export, "x")))[0].values()) == {None}


@pytest.mark.parametrize("count", [0, 1, 2, 20_000])
def test_every_row_is_there_once_and_in_order(count: int) -> None:
    export = Export(TWO, SERIES, (count,))
    expected = [{"number": number, "name": f"n{number}"} for number in range(1, count + 1)]
    assert json.loads(read(json_response(export, "x"))) == expected
    assert [json.loads(line) for line in read(ndjson_response(export, "x")).splitlines()] == expected
    assert cells(export)[1:] == [[str(row["number"]), row["name"]] for row in expected]


@pytest.mark.parametrize("start", list(FORMULA_STARTS))
def test_a_text_that_begins_like_a_formula_gets_a_quote_before_it(start: str) -> None:
    assert cells(one_of_each(f"{start}1+1"))[1][1] == f"'{start}1+1"
    # Programs read JSON, and get the text as it is.
    assert json.loads(read(ndjson_response(one_of_each(f"{start}1+1"), "x")))["name"] == f"{start}1+1"


def test_an_amount_below_zero_stays_a_number() -> None:
    assert cells(Export([Column("amount", Kind.DECIMAL)], "select -1.50::numeric")) == [["amount"], ["-1.50"]]


@checked(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
        | st.sampled_from(FORMULA_STARTS + "'\"\\,").flatmap(
            lambda start: st.text("=1'\",\\\n\r\t", max_size=6).map(start.__add__)
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_text_survives_both_forms(names: list[str]) -> None:
    export = Export(
        [Column("name")], "select name from unnest(%s::text[]) with ordinality as t (name, n) order by n", (names,)
    )
    assert cells(export) == [["name"], *[[neutralised(name)] for name in names]]
    assert [row["name"] for row in json.loads(read(json_response(export, "x")))] == names


def test_a_queryset_is_exported_without_its_objects() -> None:
    Group.objects.bulk_create(Group(name=name) for name in ("100% a", "b", "c"))
    columns = [Column("Name of the group"), Column("id", Kind.INTEGER)]
    found = Group.objects.exclude(name="b").order_by("-name").values_list("name", "id")
    expected = [[name, str(pk)] for name, pk in found]
    assert cells(Export.of(found, columns)) == [["Name of the group", "id"], *expected]
    assert cells(Export.of(found.filter(name__contains="0%"), columns))[1:] == [expected[1]]
    assert cells(Export.of(Group.objects.none().values_list("name", "id"), columns)) == [["Name of the group", "id"]]


def test_a_percent_sign_of_the_query_needs_no_parameter() -> None:
    assert cells(Export([Column("name")], "select 'a' where 'abc' like 'a%%'")) == [["name"], ["a"]]


@pytest.mark.parametrize("name", ["", '"', "a%b", "1", "ä", "a" * 64, 'x"; drop table y'])
def test_a_heading_is_plain_text(name: str) -> None:
    with pytest.raises(ValueError, match="cannot head a column"):
        Column(name)


def running() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_stat_activity where query like 'copy%' and pid <> pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("respond", [csv_response, json_response, ndjson_response])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_client_that_goes_away_ends_the_query(respond: Any, blocks: int) -> None:
    response = respond(Export(TWO, SERIES, (100_000_000,)), "x")
    body = iter(response)
    for _ in range(blocks):
        assert len(next(body)) > 60_000
    assert (places.taken, running()) == (1, 1)
    response.close()
    assert (places.taken, running()) == (0, 0)


def test_a_part_is_never_more_than_a_block_and_a_line() -> None:
    sizes = [len(block) for block in csv_response(Export(TWO, SERIES, (50_000,)), "x")]
    assert max(sizes) < 66_000
    assert len(sizes) == -(-sum(sizes) // 65_536)


def test_another_thread_may_read_the_answer() -> None:
    response = csv_response(Export(TWO, SERIES, (20_000,)), "x")
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(read(response)))
    thread.start()
    thread.join()
    assert found[0].count(b"\n") == 20_001


def test_a_query_that_takes_too_long_is_a_503_before_the_first_byte(settings: Any) -> None:
    settings.EXPORT_TIMEOUT_MS = 50
    with pytest.raises(ReadTookTooLong, match=r"ended after 0\.05 s"):
        csv_response(Export([Column("a")], "select 'a' from pg_sleep(10)"), "x")


@pytest.mark.parametrize("count", [3, 20_000])
def test_what_breaks_off_on_the_way_does_not_look_whole(count: int, caplog: Any) -> None:
    query = "select 1000 / (%s - number) from (select generate_series(1, %s) as number) numbers"
    export = Export([Column("n", Kind.INTEGER)], query, (count, count + 1))
    with pytest.raises(json.JSONDecodeError):
        json.loads(read(json_response(export, "x")))
    last_cell = read(csv_response(export, "x")).decode().splitlines()[-1]
    last_object = json.loads(read(ndjson_response(export, "x")).splitlines()[-1])
    assert last_cell == f'"{BROKEN_OFF}"'
    assert last_object == {"problem": BROKEN_OFF}
    assert [record.getMessage() for record in caplog.records] == ["An export broke off"] * 3


def test_an_export_writes_nothing() -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        csv_response(Export([Column("n", Kind.INTEGER)], "select nextval('auth_group_id_seq')"), "x")


def test_only_so_many_run_at_once(settings: Any) -> None:
    settings.EXPORTS_AT_ONCE = 2
    export = Export(TWO, SERIES, (10_000_000,))
    first, second = csv_response(export, "x"), csv_response(export, "x")
    with pytest.raises(ExportsBusy):
        csv_response(export, "x")
    first.close()
    csv_response(export, "x").close()
    second.close()


class Exporting(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = EXPORT_RENDERERS

    def get(self, request: Request) -> Any:
        return export_response(request, Export(TWO, SERIES, (2,)), "things 2026")


@pytest.mark.parametrize(
    ("query", "accept", "content_type", "name"),
    [
        ("", "*/*", "text/csv; charset=utf-8", "things 2026.csv"),
        ("", "application/json", "application/json", "things 2026.json"),
        ("", "application/x-ndjson", "application/x-ndjson", "things 2026.ndjson"),
        ("?format=ndjson", "*/*", "application/x-ndjson", "things 2026.ndjson"),
        ("?format=csv", "text/csv", "text/csv; charset=utf-8", "things 2026.csv"),
    ],
)
def test_accept_and_format_choose_the_type(query: str, accept: str, content_type: str, name: str) -> None:
    response = Exporting.as_view()(factory.get(f"/api/v1/things/export{query}", HTTP_ACCEPT=accept))
    assert (response.status_code, response["Content-Type"]) == (200, content_type)
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert read(response).count(b"n2") == 1


def test_a_type_that_is_not_given_is_refused() -> None:
    response = Exporting.as_view()(factory.get("/api/v1/things/export", HTTP_ACCEPT="application/pdf"))
    assert (response.status_code, json.loads(response.content)["code"]) == (406, "not-acceptable")
