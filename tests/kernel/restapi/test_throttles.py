from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from structlog.contextvars import clear_contextvars

from kernel.errors import Refused
from kernel.requests import bind_actor

factory = APIRequestFactory()


@pytest.fixture(autouse=True)
def _context(settings: Any) -> Iterator[None]:
    settings.API_RATE_LIMIT = 3
    yield
    clear_contextvars()


class Things(APIView):
    """The throttle is the one of the settings."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        if "refuse" in request.query_params:
            raise Refused("No.")
        return Response({})


def asked(caller: str | None, query: str = "", **extra: Any) -> Any:
    clear_contextvars()
    if caller is not None:
        bind_actor(caller)
    return Things.as_view()(factory.get(f"/api/v1/things{query}", **extra))


def test_what_is_over_the_limit_is_told_when_to_come_back() -> None:
    caller = f"api-client:{uuid4()}"
    answers = [asked(caller) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer["RateLimit-Limit"] for answer in answers} == {"3"}
    assert [answer["RateLimit-Reset"] for answer in answers[:3]] == ["20", "40", "60"]
    refused = answers[3]
    assert json.loads(refused.content)["code"] == "rate-limited"
    assert 1 <= int(refused["Retry-After"]) <= 20


def test_one_client_takes_nothing_from_another() -> None:
    noisy, quiet = f"api-client:{uuid4()}", f"api-client:{uuid4()}"
    assert [asked(noisy).status_code for _ in range(5)][-1] == 429
    assert asked(quiet).status_code == 200


def test_a_refused_request_counts_and_says_what_is_left() -> None:
    answer = asked(f"api-client:{uuid4()}", "?refuse")
    assert (answer.status_code, answer["RateLimit-Remaining"]) == (422, "2")


def test_where_nobody_says_who_calls_the_address_counts() -> None:
    one, other = "198.51.100.7", "198.51.100.8"
    answers = [asked(None, REMOTE_ADDR=one).status_code for _ in range(4)]
    assert (answers, asked(None, REMOTE_ADDR=other).status_code) == ([200, 200, 200, 429], 200)
