"""How long a web process waits for PostgreSQL. A server that hangs ends nothing by itself, so the limit is on our side.

Whoever waits gives up in time; and once the server has been found silent, nobody else waits before it has answered
somebody again, so that a queue of requests cannot take turns in waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

REST_SECONDS = 2.0
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_of_thread = threading.local()


class ServerSilent(psycopg.OperationalError):
    """PostgreSQL did not answer in the time that there was, or did not a moment ago."""


class Silence:
    """Whether the server is silent for this process. One caller in `rest_seconds` tries it; any answer ends it."""

    def __init__(self, rest_seconds: float = REST_SECONDS) -> None:
        self._rest_seconds = rest_seconds
        self._lock = threading.Lock()
        self._answered_at = float("-inf")
        self._noticed_at: float | None = None
        self._next_try_at = 0.0

    def answered(self) -> None:
        """The server has answered anybody. On the way of every statement, and so without a lock."""
        self._answered_at = time.monotonic()

    def noticed(self, *, waiting_since: float) -> None:
        """Somebody gave up. It says nothing of the server when it has answered others meanwhile."""
        with self._lock:
            if self._answered_at < waiting_since:
                self._noticed_at = time.monotonic()
                self._next_try_at = self._noticed_at + self._rest_seconds

    def check(self) -> None:
        """Raises ServerSilent when the server was silent a moment ago and it is not this caller's turn to try."""
        if self._noticed_at is None:
            return
        with self._lock:
            now = time.monotonic()
            if self._noticed_at is None or self._answered_at > self._noticed_at:
                self._noticed_at = None
            elif now < self._next_try_at:
                raise ServerSilent("PostgreSQL was silent a moment ago.")
            else:
                self._next_try_at = now + self._rest_seconds


_silences: dict[str, Silence] = {}


def silence_of(alias: str) -> Silence:
    """Of the server behind this alias of Django's: when a replica is silent, the primary is asked all the same."""
    return _silences.setdefault(alias, Silence())


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """All waits for PostgreSQL by this thread inside share so many seconds."""
    before = getattr(_of_thread, "deadline", None)
    _of_thread.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _of_thread.deadline = before


def seconds_left() -> float | None:
    """What is left of this thread's patience, 0 at the least; None when nobody has limited it."""
    deadline = getattr(_of_thread, "deadline", None)
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def patient_below(prefix: str, application: WSGIApplication, *, seconds: float) -> WSGIApplication:
    """The application, with this patience for every request whose path begins with the prefix.

    For answers that are complete when the application returns: a stream would be read with no limit.
    """

    def patient(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(prefix):
            return application(environ, start_response)
        with patience(seconds):
            return application(environ, start_response)

    return patient


class PatientConnection(psycopg.Connection):
    """A connection that is given up, and closed, when the server does not answer in time."""

    # Without a thread's own patience; above the server's own statement_timeout, which ends a slow statement better.
    longest_seconds = 10.0
    # Of the server that it leads to; whoever opens the connection says which.
    silence: Silence | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        since = time.monotonic()
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        left = seconds_left()
        try:
            answer = super().wait(gen, interval, self.longest_seconds if left is None else left)
        except _WaitTimeout:
            if self.silence is not None:
                self.silence.noticed(waiting_since=since)
            # Whatever the server still does or answers, nobody may take it for the answer to another question.
            self.close()
            raise ServerSilent(f"PostgreSQL did not answer within {time.monotonic() - since:.1f} s.") from None
        if self.silence is not None:
            self.silence.answered()
        return answer


def patient_connection(*, longest_seconds: float) -> type[PatientConnection]:
    """The class for a pool whose statements may take so long at the most."""
    return type("PatientConnection", (PatientConnection,), {"longest_seconds": longest_seconds})
