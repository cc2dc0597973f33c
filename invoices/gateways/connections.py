"""Connections that know whether anything can have been sent, and a time after which one is cut."""

from __future__ import annotations

import socket
from contextlib import suppress
from contextvars import ContextVar
from threading import Lock, Timer
from types import TracebackType

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

_cutoff: ContextVar[Cutoff | None] = ContextVar("cutoff", default=None)


class NotConnected(Exception):
    """No connection was made, or no TLS on it, so that nothing of the request has left.

    No OSError and none of urllib3's errors, so that urllib3 does not wrap it together with what happens later.
    """


class Cutoff:
    """A time for one attempt, after which its connection is shut whatever it is doing.

    Time-outs of a socket begin anew with every byte, so that an answer could arrive for ever, a byte at a time.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._connection: socket.socket | None = None
        self._lock = Lock()
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Cutoff:
        self._outer = _cutoff.set(self)
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _cutoff.reset(self._outer)
        self._timer.cancel()
        with self._lock:
            self._connection = None

    def watch(self, connection: socket.socket | None) -> None:
        """From now on this connection is the one to be cut; at once when the time is over already."""
        with self._lock:
            self._connection = connection
            if self.is_over:
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                # Of the socket itself: that of TLS would forget the state that a reader is in the middle of.
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)


class _CheckedConnection(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (HTTPError, OSError) as error:
            raise NotConnected(type(error).__name__) from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        _watch(self.sock)
        return super().getresponse()


class _CheckedTLSConnection(HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (HTTPError, OSError) as error:
            raise NotConnected(type(error).__name__) from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        _watch(self.sock)
        return super().getresponse()


class CheckedPool(HTTPConnectionPool):
    ConnectionCls = _CheckedConnection


class CheckedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTLSConnection


def _watch(connection: socket.socket | None) -> None:
    cutoff = _cutoff.get()
    if cutoff is not None:
        cutoff.watch(connection)
