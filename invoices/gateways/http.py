"""JSON calls to one outside system: bounded in time and size, repeated only where nothing can happen twice.

Requests carry `Authorization: Bearer` and, when they write, `Idempotency-Key`; answers carry `Answer-Hash`.
"""

from __future__ import annotations

import hmac
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from invoices.gateways.answers import Answer, answer_hash
from invoices.gateways.connections import CheckedPool, CheckedTLSPool, Cutoff, NotConnected
from invoices.gateways.errors import (
    AnswerUnusable,
    GatewayDown,
    GatewayKeyRefused,
    KeyUsedOtherwise,
    OutcomeUnknown,
    StillRunning,
)
from kernel.errors import PaymentsiteError
from kernel.exactjson import JsonInvalid, dumps, loads

logger = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.2
CONNECT_SECONDS = 3.0
LONGEST_ANSWER = 256 * 1024
KEPT_CONNECTIONS = 8
# With this header a 503 says that the request was turned away before anything was done.
NOT_ACCEPTED = "Request-Not-Accepted"
ANSWERED = (200, 201, 404, 409, 422)

_key = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Access:
    """Where an outside system is and how it knows us. `system` names it in messages; `url` has no `/` at its end."""

    system: str
    url: str
    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    # The longest that one call may take, all its attempts and pauses together; only looking up a name comes on top.
    timeout_seconds: float = 10.0


class NothingDone(Exception):
    """An attempt that has certainly done nothing."""

    def __init__(self, why: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


class NoUsableAnswer(Exception):
    """An attempt after which nobody knows what was done."""


class OutsideSystem:
    """One outside system, with one pool of connections. May be used by many threads."""

    def __init__(self, access: Access, *, sleep: Callable[[float], None] = time.sleep) -> None:
        url = urlsplit(access.url)
        pool = CheckedTLSPool if url.scheme == "https" else CheckedPool
        # Certificates are verified against the machine's own authorities, which is what the class does when left alone.
        self._pool: HTTPConnectionPool | HTTPSConnectionPool = pool(
            url.hostname or "", url.port, maxsize=KEPT_CONNECTIONS
        )
        self._prefix = url.path.rstrip("/")
        self._access = access
        self._secret = access.secret.encode()
        self._sleep = sleep

    def read(
        self, path: str, question: Mapping[str, Any] | None = None, *, longest_answer: int = LONGEST_ANSWER
    ) -> Answer:
        """Asks without changing anything, by GET, or by POST when there is a question to send.

        Up to three attempts within the time. Raises GatewayDown.
        """
        method = "GET" if question is None else "POST"
        return self._call(method, path, question, {}, longest_answer, wrote=False)

    def write(self, path: str, body: Mapping[str, Any], *, key: str) -> Answer:
        """Asks for something to be done, once for each key: 1 to 255 visible ASCII characters.

        Attempted again only after an attempt that certainly did nothing. Raises GatewayDown when none did anything, and
        OutcomeUnknown as soon as one was sent and brought no usable answer: then look first, and repeat with this key.
        """
        if not _key.fullmatch(key):
            raise ValueError("An idempotency key is 1 to 255 visible ASCII characters.")
        return self._call("POST", path, body, {"Idempotency-Key": key}, LONGEST_ANSWER, wrote=True)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        longest_answer: int,
        *,
        wrote: bool,
    ) -> Answer:
        deadline = time.monotonic() + self._access.timeout_seconds
        request = _Request(
            method,
            self._prefix + path,
            dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {self._access.api_key}", "Content-Type": "application/json", **headers},
            longest_answer,
            wrote,
        )
        for attempt in range(ATTEMPTS):
            try:
                return self._attempt(request, deadline)
            except (NothingDone, NoUsableAnswer) as error:
                failure = self._failure(error, wrote=wrote)
                logger.warning(
                    "An outside system could not be used",
                    extra={
                        "action": "call_outside_system",
                        "system": self._access.system,
                        "path": path,
                        "attempt": attempt + 1,
                        "outcome": failure.code,
                        "cause": str(error),
                    },
                )
            pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2**attempt)
            is_over = attempt + 1 == ATTEMPTS or time.monotonic() + pause >= deadline
            if is_over or isinstance(failure, OutcomeUnknown) or _asked_to_wait(failure):
                break
            self._sleep(pause)
        raise failure

    def _attempt(self, request: _Request, deadline: float) -> Answer:
        # A question may be asked again, so that an attempt of it gets half of the time at the most.
        remaining = max(deadline - time.monotonic(), 0.001)
        seconds = remaining if request.wrote else min(remaining, self._access.timeout_seconds / 2)
        with Cutoff(seconds) as cutoff:
            try:
                response = self._pool.urlopen(
                    request.method,
                    request.target,
                    body=request.content,
                    headers=request.headers,
                    retries=False,
                    redirect=False,
                    timeout=Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
                    preload_content=False,
                    decode_content=False,
                )
                content = _content(response, request.longest_answer)
            except NotConnected as error:
                raise NothingDone(f"no connection could be made ({error})") from error
            except (HTTPError, OSError) as error:
                why = "it took too long" if cutoff.is_over else f"the connection broke ({type(error).__name__})"
                raise NoUsableAnswer(why) from error
        return self._judged(request, response.status, response.headers, content)

    def _judged(self, request: _Request, status: int, headers: HTTPHeaderDict, content: bytes) -> Answer:
        if status in (401, 403):
            raise GatewayKeyRefused(f"The {self._access.system} does not accept our key (status {status}).")
        if status == 429 or (status == 503 and headers.get(NOT_ACCEPTED) == "true"):
            raise NothingDone(f"it turned the request away ({status})", retry_after_seconds=_retry_after(headers))
        if status not in ANSWERED:
            raise NoUsableAnswer(f"it answered {status}")
        right = answer_hash(
            self._secret, method=request.method, target=request.target, status=status, body=content
        ).encode()
        if not hmac.compare_digest(headers.get("Answer-Hash", "").encode("latin-1", "replace"), right):
            raise NoUsableAnswer("the hash of its answer is missing or wrong")
        try:
            body = loads(content)
        except JsonInvalid as error:
            raise NoUsableAnswer(error.detail) from None
        if not isinstance(body, dict):
            raise NoUsableAnswer("its answer is no JSON object")
        if status == 409:
            raise _key_problem(self._access.system, body)
        return Answer(self._access.system, status, body, request.wrote)

    def _failure(self, error: NothingDone | NoUsableAnswer, *, wrote: bool) -> GatewayDown | OutcomeUnknown:
        if isinstance(error, NothingDone):
            wait = error.retry_after_seconds
            detail = f"The {self._access.system} could not be used: {error}."
            return GatewayDown(detail, retry_after_seconds=5 if wait is None else wait)
        if wrote:
            return OutcomeUnknown(f"The {self._access.system} was asked, and nobody knows the outcome: {error}.")
        return AnswerUnusable(f"The {self._access.system} was asked and gave no usable answer: {error}.")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    content: bytes | None
    headers: Mapping[str, str]
    longest_answer: int
    wrote: bool


def _content(response: BaseHTTPResponse, longest: int) -> bytes:
    """The whole body. Raises NoUsableAnswer when it is longer; urllib3 raises when it is shorter than announced."""
    content = b""
    try:
        while len(content) <= longest:
            part = response.read(min(longest + 1 - len(content), 65536))
            if not part:
                response.release_conn()
                return content
            content += part
    except BaseException:
        response.close()
        raise
    response.close()
    raise NoUsableAnswer(f"its answer is longer than {longest} bytes")


def _key_problem(system: str, body: Mapping[str, Any]) -> PaymentsiteError:
    if body.get("fault") == "still-running":
        return StillRunning(f"The {system} is still working on an earlier request with the same key.")
    return KeyUsedOtherwise(f"The {system} knows this key with other content: {str(body.get('reason', ''))[:300]}")


def _retry_after(headers: HTTPHeaderDict) -> int | None:
    with suppress(ValueError):
        return min(max(int(headers.get("Retry-After", "")), 0), 3600)
    return None


def _asked_to_wait(failure: GatewayDown | OutcomeUnknown) -> bool:
    """Whether it named a time that is longer than our pauses."""
    return type(failure) is GatewayDown and failure.retry_after_seconds > 5
