"""What surrounds one request: its id, who acts, where it came from, and the one line that the log keeps of it."""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from kernel.uuids import uuid7

logger = logging.getLogger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
ANONYMOUS = "anonymous"


class RequestContextMiddleware:
    """Stands first: binds the request id for everything that is logged, and answers it as X-Request-ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request_id = begin_request(request.META)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            if not response.streaming and not response.has_header("Content-Length"):
                response["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
            _log_access(request, response.status_code, started)
            return response
        finally:
            end_request()


def begin_request(environ: Mapping[str, Any]) -> str:
    """Binds the id of a WSGI environment's request, its own or a new one, for all that is logged; gives the id."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if REQUEST_ID.fullmatch(given) else str(uuid7(datetime.now(UTC)))
    # Threads of the web server are used again: nothing of the request before may show in this one.
    clear_contextvars()
    bind_contextvars(request_id=request_id)
    return request_id


def end_request() -> None:
    """Forgets what was bound."""
    clear_contextvars()


def _log_access(request: HttpRequest, status: int, started: float) -> None:
    # The route's template, because a path may hold an account or a reference.
    match = request.resolver_match
    logger.info(
        "Request answered",
        extra={
            "action": "answer_request",
            "method": request.method,
            "route": match.route if match is not None else None,
            "status": status,
            "duration_ms": round((time.perf_counter() - started) * 1000, 2),
            "actor": _actor_of(request),
        },
    )


def _actor_of(request: HttpRequest) -> str:
    bound = current_actor()
    if bound != ANONYMOUS:
        return bound
    # Asking request.user would read the session; only when somebody has already asked does the answer cost nothing.
    user = getattr(request, "_cached_user", None)
    return f"user:{user.pk}" if user is not None and user.pk is not None else ANONYMOUS


def current_request_id() -> str | None:
    """The id of the request (or of the job that bound one) that runs here; None outside."""
    request_id: str | None = get_contextvars().get("request_id")
    return request_id


def bind_request_id(request_id: str) -> None:
    """Says which request what follows belongs to, as a job does that a request has caused."""
    bind_contextvars(request_id=request_id)


def current_actor() -> str:
    """Who acts here, such as user:7 or channel:bank; 'anonymous' until somebody is bound."""
    actor: str = get_contextvars().get("actor", ANONYMOUS)
    return actor


def bind_actor(actor: str) -> None:
    """Says who acts, for the log and the audit, until the request ends. An id, never a person's name."""
    bind_contextvars(actor=actor)


def client_address(request: HttpRequest) -> str:
    """`address_of` the request's environment."""
    return address_of(request.META)


def address_of(environ: Mapping[str, Any]) -> str:
    """The address that the request came from, as the outermost proxy of ours saw it; '' when none is known.

    With TRUSTED_PROXY_COUNT proxies in front, X-Forwarded-For is believed for that many hops counted from the right;
    what stands further left was written by the client. With none, the header is not looked at.
    """
    peer = _plain_address(environ.get("REMOTE_ADDR", ""))
    hops: int = settings.TRUSTED_PROXY_COUNT
    forwarded = environ.get("HTTP_X_FORWARDED_FOR", "") if hops else ""
    if not forwarded:
        return peer
    seen = [part.strip() for part in forwarded.split(",")]
    # A chain that is shorter than it should be did not pass all our proxies; its oldest entry is the best known.
    return _plain_address(seen[-min(hops, len(seen))]) or peer


@lru_cache(maxsize=4096)
def _plain_address(text: str) -> str:
    """The address alone, in one spelling: no port, no brackets, and IPv4 as IPv4. '' when it is no address."""
    bare = re.sub(r"^\[([^\]]*)\](?::\d+)?$", r"\1", text.strip())
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
