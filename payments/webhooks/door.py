"""The way in for signed requests: a WSGI application of its own beside Django's.

Request objects, middlewares, URL resolving and signals are for people's pages; together they cost a webhook as much as
all that is done for it. What is refused here, and how, is the same as behind views.py: both call answers.py.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.db import connection

from kernel.requests import begin_request, end_request
from kernel.restapi.problems import problem_parts
from payments.webhooks.answers import Answer, answer_webhook
from payments.webhooks.views import GENERIC_CHANNEL

logger = logging.getLogger(__name__)

PREFIX = "/api/v1/payments/webhook"
# As Django's own path converter reads a slug in urls.py; what is no slug goes to Django, which answers 404.
_path = re.compile(PREFIX + r"(?:/([-a-zA-Z0-9_]+))?")
_REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
# As Django's SecurityMiddleware sets them, because a browser may be pointed here too.
_SECURITY = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def in_front_of(people: WSGIApplication) -> WSGIApplication:
    """One application out of two: webhooks are answered here, everything else goes to Django's."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        match = _path.fullmatch(path) if path.startswith(PREFIX) else None
        if match is None:
            return people(environ, start_response)
        return _receive(environ, start_response, slug=match[1] or GENERIC_CHANNEL)

    return application


def _receive(environ: dict[str, Any], start_response: StartResponse, *, slug: str) -> Iterable[bytes]:
    request_id = begin_request(environ)
    try:
        answer = answer_webhook(environ, slug=slug, request_id=request_id)
    except Exception as error:
        logger.exception("Webhook failed", extra={"action": "answer_webhook", "channel": slug[:100]})
        answer = Answer(*problem_parts(error, path=environ.get("PATH_INFO", "")))
    finally:
        _give_connection_back()
        end_request()
    headers = [*answer.headers.items(), *_SECURITY]
    headers.append(("X-Request-ID", request_id))
    headers.append(("Content-Length", str(len(answer.body))))
    start_response(_REASONS[answer.status], headers)
    return [answer.body]


def _give_connection_back() -> None:
    """To the pool, as Django does at the end of each of its own requests; most requests here have used none."""
    if connection.connection is not None and not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
        if connection.connection is not None and getattr(connection, "pool", None) is not None:
            connection.close()
