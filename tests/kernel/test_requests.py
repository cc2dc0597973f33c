from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.urls import ResolverMatch
from pytest_django.fixtures import Settings

from kernel.requests import (
    RequestContextMiddleware,
    bind_actor,
    client_address,
    current_actor,
    current_request_id,
)

factory = RequestFactory()


def answered(
    request: HttpRequest, view: Callable[[HttpRequest], HttpResponseBase] = lambda request: HttpResponse("hello")
) -> HttpResponseBase:
    return RequestContextMiddleware(view)(request)


@pytest.mark.parametrize("given", ["a", "A-b_c.1", "x" * 128])
def test_a_request_id_that_is_well_formed_is_kept(given: str) -> None:
    seen: list[str | None] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current_request_id())
        return HttpResponse()

    response = answered(factory.get("/", headers={"X-Request-ID": given}), view)
    assert response["X-Request-ID"] == given
    assert seen == [given]


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", 'a"b', "a\n", "é", "a/b"])
def test_a_request_id_that_is_not_gets_one_made(given: str) -> None:
    response = answered(factory.get("/", headers={"X-Request-ID": given}))
    assert UUID(response["X-Request-ID"]).version == 7


def test_nothing_of_one_request_shows_in_the_next() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        assert current_actor() == "anonymous"
        bind_actor("user:7")
        return HttpResponse(current_actor())

    for _ in range(2):
        assert answered(factory.get("/"), view).content == b"user:7"  # type: ignore[attr-defined]
    assert (current_request_id(), current_actor()) == (None, "anonymous")


def test_the_context_is_cleared_when_the_view_raises() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise LookupError("no")

    with pytest.raises(LookupError):
        answered(factory.get("/"), view)
    assert current_request_id() is None


def test_an_answer_says_its_length_unless_it_streams() -> None:
    assert answered(factory.get("/"))["Content-Length"] == "5"
    streaming = answered(factory.get("/"), lambda request: StreamingHttpResponse([b"a", b"b"]))
    assert not streaming.has_header("Content-Length")
    told = HttpResponse("hello", headers={"Content-Length": "99"})
    assert answered(factory.head("/"), lambda request: told)["Content-Length"] == "99"


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


@pytest.fixture
def access_log() -> Iterator[list[Any]]:
    logger, handler = logging.getLogger("kernel.requests"), Records()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield handler.kept
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_one_access_line_names_the_route_and_never_the_path(access_log: list[Any]) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.resolver_match = ResolverMatch(view, (), {}, route="api/v1/payments/<reference>")
        bind_actor("client:3")
        return HttpResponse(status=404)

    answered(factory.get("/api/v1/payments/L-77?cif=C-9"), view)
    (record,) = access_log
    assert (record.getMessage(), record.method, record.status) == ("Request answered", "GET", 404)
    assert (record.route, record.actor) == ("api/v1/payments/<reference>", "client:3")
    assert record.duration_ms >= 0
    shown = json.dumps(record.__dict__, default=str)
    assert "L-77" not in shown
    assert "C-9" not in shown


def test_a_path_without_route_is_logged_without_one(access_log: list[Any]) -> None:
    answered(factory.get("/nowhere/L-77"), lambda request: HttpResponse(status=404))
    assert access_log[0].route is None


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (0, "", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),
        (2, "10.9.9.9, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "unknown", "192.0.2.1"),
        (1, "203.0.113.9, ", "192.0.2.1"),
    ],
)
def test_only_our_own_proxies_say_where_a_request_came_from(
    settings: Settings, hops: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = hops
    request = factory.get("/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="192.0.2.1")
    assert client_address(request) == address


def test_a_request_over_a_unix_socket_has_no_address(settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 0
    assert client_address(factory.get("/", REMOTE_ADDR="")) == ""
