"""Errors on the wire: RFC 9457 problem details with a stable code, a cause, and what to do next."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed

from kernel.errors import PaymentsiteError, Unauthenticated, Unavailable
from kernel.requests import current_request_id
from kernel.restapi.renderers import answer_json
from kernel.restapi.translation import in_our_words

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class InternalError(PaymentsiteError):
    """Something broke on our side; the log has it under the request id."""

    code = "internal-error"
    title = "Internal error"
    next_step = "Try once more; if it stays, report the request_id."


def problem_response(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """REST framework's EXCEPTION_HANDLER. None for a defect, which then reaches Django's log and `handler500`."""
    ours = in_our_words(exc)
    if ours is None:
        return None
    response = problem(exc, context["request"])
    if isinstance(exc, MethodNotAllowed):
        response["Allow"] = ", ".join(getattr(context.get("view"), "allowed_methods", ()))
    return response


def problem(exc: Exception, request: HttpRequest) -> HttpResponse:
    """The answer for the error, for a plain view too: status, body, Retry-After and WWW-Authenticate as it asks.

    An error of nobody's family becomes the 500 of `InternalError`, which gives nothing of it away.
    """
    status, headers, body = problem_parts(exc, path=request.path)
    return HttpResponse(body, status=status, headers=headers)


def problem_parts(exc: Exception, *, path: str) -> tuple[int, dict[str, str], bytes]:
    """The same as status, headers and body, for an answer that Django has no part in."""
    ours = in_our_words(exc) or InternalError()
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    if isinstance(ours, Unavailable):
        _log_unavailable(ours, exc)
    # A conflict can be one that passes by itself, such as a first request that is still running.
    if (seconds := getattr(ours, "retry_after_seconds", None)) is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(ours, Unauthenticated):
        headers["WWW-Authenticate"] = ours.challenge
    return ours.status, headers, answer_json(problem_body(ours, path))


def problem_body(error: PaymentsiteError, path: str) -> dict[str, Any]:
    """The members of the problem; what the error's context adds can take the place of none of them."""
    return error.context | {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": path,
        "code": error.code,
        "next_step": error.next_step,
        "request_id": current_request_id(),
        "errors": [field_error.as_dict() for field_error in error.errors],
    }


def _log_unavailable(ours: Unavailable, exc: Exception) -> None:
    # 429 is the caller's doing and has its access line.
    if ours.status == Unavailable.status:
        cause = exc if ours is not exc else exc.__cause__
        extra = {"action": "answer_unavailable", "code": ours.code, "cause": type(cause or exc).__name__}
        logger.warning("Request answered as unavailable", extra=extra)
