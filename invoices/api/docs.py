"""What several operations say of themselves to OpenAPI."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from invoices.api.callers import ACCOUNT_HEADER
from kernel.idempotency.schema import IDEMPOTENCY_KEY, idempotent_problems
from kernel.restapi import problem_responses

ACCOUNT_ID = OpenApiParameter(
    name=ACCOUNT_HEADER,
    location=OpenApiParameter.HEADER,
    required=False,
    type={"type": "string", "maxLength": 50},
    description="The account, where the body or the query does not name it.",
)
READ_PROBLEMS = (400, 401, 403, 404, 405, 406, 422, 429, 500, 503)
# Without a key nobody is refused for who they are.
PUBLIC_PROBLEMS = (400, 405, 406, 422, 429, 500, 503)


def reading(operation_id: str, summary: str, answer: Any, *, tag: str, status: int = 200, **more: Any) -> Any:
    """For a GET: what it answers and the problems of every read."""
    responses: dict[Any, OpenApiResponse] = {status: OpenApiResponse(answer, more.pop("answers", summary))}
    responses |= problem_responses(*READ_PROBLEMS)
    return extend_schema(operation_id=operation_id, summary=summary, tags=[tag], responses=responses, **more)


def public_reading(operation_id: str, summary: str, answer: Any, *, tag: str, **more: Any) -> Any:
    """For a GET that needs no key."""
    problems = sorted({*PUBLIC_PROBLEMS, *more.pop("also", ())})
    responses: dict[Any, OpenApiResponse] = {200: OpenApiResponse(answer, summary), **problem_responses(*problems)}
    return extend_schema(operation_id=operation_id, summary=summary, tags=[tag], responses=responses, **more)


def posting(
    operation_id: str,
    summary: str,
    body: type[serializers.Serializer[Any]] | None,
    answers: dict[Any, Any],
    *,
    tag: str,
    parameters: tuple[Any, ...] = (),
    also: tuple[int, ...] = (),
    **more: Any,
) -> Any:
    """For a POST: its key, its body, what it answers by status, and the problems of every write and of `also`."""
    responses = {
        **{status: OpenApiResponse(answer, text) for status, (answer, text) in answers.items()},
        **idempotent_problems(*READ_PROBLEMS, *also),
    }
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        request=body,
        tags=[tag],
        parameters=[IDEMPOTENCY_KEY, *parameters],
        responses=responses,
        **more,
    )


def changing(
    operation_id: str, summary: str, body: Any, answer: Any, *, tag: str, status: int = 200, **more: Any
) -> Any:
    """For a PATCH or DELETE."""
    responses: dict[Any, OpenApiResponse] = {
        status: OpenApiResponse(answer, summary),
        **problem_responses(*sorted({409, *READ_PROBLEMS})),
    }
    return extend_schema(
        operation_id=operation_id, summary=summary, request=body, tags=[tag], responses=responses, **more
    )
