from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg_pool
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from rest_framework import exceptions as rest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from structlog.contextvars import clear_contextvars

from kernel.errors import (
    Conflict,
    FieldError,
    NotFound,
    PaymentsiteError,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)
from kernel.requests import bind_request_id
from kernel.restapi import handler400, handler403, handler404, handler500, problem, problem_response

factory = APIRequestFactory()
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "next_step", "request_id", "errors"}


@pytest.fixture(autouse=True)
def _request_id() -> Iterator[None]:
    bind_request_id("r-1")
    yield
    clear_contextvars()


def body(response: Any) -> dict[str, Any]:
    assert response["Content-Type"] == "application/problem+json"
    parsed: dict[str, Any] = json.loads(response.content)
    assert parsed.keys() >= MEMBERS
    assert parsed["status"] == response.status_code
    assert parsed["type"] == f"/problems/{parsed['code']}"
    return parsed


def raised(error: Exception, method: str = "get", **extra: Any) -> Any:
    """The answer of a REST framework view that raises the error."""

    class Raising(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Request) -> Response:
            raise error

    return Raising.as_view()(getattr(factory, method)("/api/v1/things", **extra))


def test_a_problem_says_what_why_and_what_next() -> None:
    class AmountTooLarge(Refused):
        """The amount is larger than the invoice."""

        code = "amount-too-large"
        title = "Amount too large"

    error = AmountTooLarge(
        errors=(FieldError("amount", "too-large", "At most 5.00."),),
        invoice_id=UUID(int=7),
        owed=Decimal("5.00"),
        at=datetime(2026, 11, 5, tzinfo=UTC),
    )
    response = raised(error)
    assert response.status_code == 422
    assert body(response) == {
        "type": "/problems/amount-too-large",
        "title": "Amount too large",
        "status": 422,
        "detail": "The amount is larger than the invoice.",
        "instance": "/api/v1/things",
        "code": "amount-too-large",
        "next_step": "Correct the request; repeating it unchanged gives the same answer.",
        "request_id": "r-1",
        "errors": [{"field": "amount", "code": "too-large", "message": "At most 5.00."}],
        "invoice_id": "00000000-0000-0000-0000-000000000007",
        "owed": "5.00",
        "at": "2026-11-05T00:00:00Z",
    }


def test_context_never_takes_the_place_of_a_member() -> None:
    parsed = body(
        problem(Conflict("Recorded otherwise.", status="open", code="x", payment_id=3), factory.get("/api/v1/a"))
    )
    assert (parsed["status"], parsed["code"], parsed["payment_id"]) == (409, "conflict", 3)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (rest.ParseError("JSON parse error"), 400, "malformed"),
        (rest.NotAuthenticated(), 401, "unauthenticated"),
        (rest.AuthenticationFailed(), 401, "unauthenticated"),
        (rest.PermissionDenied(), 403, "forbidden"),
        (rest.NotFound(), 404, "not-found"),
        (rest.NotAcceptable(), 406, "not-acceptable"),
        (rest.UnsupportedMediaType("text/csv"), 415, "unsupported-media-type"),
        (rest.ValidationError({"a": ["no"]}), 422, "invalid"),
        (rest.Throttled(wait=1.2), 429, "rate-limited"),
        (Http404(), 404, "not-found"),
        (PermissionDenied(), 403, "forbidden"),
        (RequestDataTooBig(), 413, "too-large"),
        (OperationalError("server closed the connection"), 503, "database-unavailable"),
        (InterfaceError("connection already closed"), 503, "database-unavailable"),
        (psycopg_pool.PoolTimeout("no connection after 5 s"), 503, "database-unavailable"),
        (NotFound("No such payment."), 404, "not-found"),
        (RateLimited(retry_after_seconds=9), 429, "rate-limited"),
    ],
)
def test_every_error_leaves_as_a_problem_with_its_own_code(error: Exception, status: int, code: str) -> None:
    response = raised(error)
    assert (response.status_code, body(response)["code"]) == (status, code)
    assert body(response)["next_step"]
    assert body(response)["detail"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(Unavailable(retry_after_seconds=30), "30"), (rest.Throttled(wait=1.2), "2"), (OperationalError(), "5")],
)
def test_what_may_be_repeated_says_when(error: Exception, seconds: str) -> None:
    assert raised(error)["Retry-After"] == seconds
    assert not raised(Refused("no")).has_header("Retry-After")


def test_the_text_of_the_database_does_not_leave_the_house() -> None:
    assert b"secret-host" not in raised(OperationalError("could not connect to secret-host")).content


def test_a_401_asks_for_the_scheme_that_is_wanted() -> None:
    class SignatureWrong(Unauthenticated):
        """The signature does not fit the body."""

        challenge = "Signature"

    assert raised(rest.NotAuthenticated())["WWW-Authenticate"] == "Bearer"
    assert raised(SignatureWrong())["WWW-Authenticate"] == "Signature"


def test_a_method_that_is_not_there_names_those_that_are() -> None:
    response = raised(Refused("never reached"), method="post")
    assert (response.status_code, body(response)["code"]) == (405, "method-not-allowed")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


def test_a_media_type_that_is_not_given_is_refused_in_a_problem() -> None:
    response = raised(Refused("never reached"), HTTP_ACCEPT="text/csv")
    assert (response.status_code, body(response)["code"]) == (406, "not-acceptable")


def test_nested_validation_errors_are_flat_with_their_path() -> None:
    class Line(serializers.Serializer[Any]):
        amount = serializers.DecimalField(max_digits=15, decimal_places=2)

    class Order(serializers.Serializer[Any]):
        name = serializers.CharField(max_length=3)
        lines = Line(many=True)
        tags = serializers.ListField(child=serializers.IntegerField())

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            raise serializers.ValidationError("Never both.", code="both")

    bad = Order(data={"name": "long", "lines": [{"amount": "1"}, {"amount": "x"}], "tags": [1, "b"]})
    with pytest.raises(rest.ValidationError) as failure:
        bad.is_valid(raise_exception=True)
    found = {(error["field"], error["code"]) for error in body(raised(failure.value))["errors"]}
    assert found == {("name", "max_length"), ("lines[1].amount", "invalid"), ("tags[1]", "invalid")}
    whole = Order(data={"name": "ok", "lines": [], "tags": []})
    with pytest.raises(rest.ValidationError) as failure:
        whole.is_valid(raise_exception=True)
    assert body(raised(failure.value))["errors"] == [{"field": "request", "code": "both", "message": "Never both."}]


def test_a_defect_is_no_problem_of_the_caller() -> None:
    assert problem_response(LookupError("secret"), {"request": factory.get("/api/v1/a"), "view": None}) is None
    response = problem(LookupError("secret"), factory.get("/api/v1/a"))
    assert (response.status_code, body(response)["code"]) == (500, "internal-error")
    assert b"secret" not in response.content


def test_an_error_without_words_of_its_own_takes_those_of_its_family() -> None:
    class Wordless(Conflict):
        code = "wordless"

    assert Wordless().detail == "Not now, or already done differently: look at what is there before going on."
    assert str(PaymentsiteError("Said.")) == "Said."


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/health/nothing"])
def test_programs_get_problems_from_the_site_too(path: str) -> None:
    request = RequestFactory().get(path)
    answers: list[tuple[Any, int]] = [
        (handler400(request, Exception()), 400),
        (handler403(request, PermissionDenied()), 403),
        (handler404(request, Http404()), 404),
        (handler500(request), 500),
    ]
    for response, status in answers:
        assert body(response)["status"] == status
        assert body(response)["instance"] == path


def test_people_get_html() -> None:
    request = RequestFactory().get("/admin/nothing")
    answers: list[Any] = [
        handler400(request, Exception()),
        handler403(request, PermissionDenied()),
        handler404(request, Http404()),
        handler500(request),
    ]
    assert [answer.status_code for answer in answers] == [400, 403, 404, 500]
    assert all(isinstance(answer, HttpResponse) and "text/html" in answer["Content-Type"] for answer in answers)
