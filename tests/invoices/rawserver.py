"""A server whose every byte and every break is the test's own, to see what a client makes of it."""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

from tests.simulators.signing import answer_mac

SECRET = "shared-by-both"
KEY = "our-key"
LONGEST_WAIT_SECONDS = 20

# What happens on a connection once the whole request is there; the number counts requests from 0.
Play = Callable[[socket.socket, "Request", int], None]


class Request:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.method, self.target, _ = head.split(b"\r\n")[0].decode().split(" ")
        lines = [line.decode().partition(": ") for line in head.split(b"\r\n")[1:] if line]
        self.headers = {name.lower(): value for name, _, value in lines}
        self.body = body


class RawServer:
    """Listens between entering and leaving. `requests` are those that came whole, `connections` all that were made."""

    def __init__(self, play: Play, *, tls: ssl.SSLContext | None = None, greet: Play | None = None) -> None:
        self._play = play
        self._tls = tls
        # Instead of reading anything.
        self._greet = greet
        self.requests: list[Request] = []
        self.connections = 0

    def __enter__(self) -> RawServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/base"
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(LONGEST_WAIT_SECONDS)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            if self._greet is not None:
                self._greet(connection, Request(b"NONE / HTTP/1.1", b""), 0)
                return
            while (request := _read(connection)) is not None:
                number = len(self.requests)
                self.requests.append(request)
                self._play(connection, request, number)
        except OSError:
            pass
        finally:
            connection.close()


def _read(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return None
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(Request(head, b"").headers.get("content-length", "0"))
    while len(body) < length:
        body += connection.recv(65536)
    return Request(head, body)


def answer(
    request: Request,
    body: bytes | dict[str, Any] = b"{}",
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    digest: str | None = None,
) -> bytes:
    """A whole answer with the right hash, or with another."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = answer_mac(SECRET, request.method, request.target, status, raw) if digest is None else digest
    lines = {"Content-Length": str(len(raw)), "Answer-Hash": given, **(headers or {})}
    head = f"HTTP/1.1 {status} So\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + raw


def reset(connection: socket.socket) -> None:
    """The other side gets RST, not the orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def be_silent(connection: socket.socket) -> None:
    """Until the other side gives up."""
    select.select([connection], [], [], LONGEST_WAIT_SECONDS)
