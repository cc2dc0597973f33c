"""A load generator for loopback: so many connections, each with one request on the way, until all are answered."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

ANSWER_BYTES = 65536
LONGEST_SILENCE_SECONDS = 20


@dataclass(slots=True)
class Outcome:
    """Answers by status, each one's latency in milliseconds, and how long all of it took."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class _Line:
    """One kept-alive connection and what it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.answer = b""

    def send(self, request: bytes) -> None:
        self.answer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the answer is whole, else None. Raises ConnectionError when the server hangs up."""
        received = self.socket.recv(ANSWER_BYTES)
        if not received:
            raise ConnectionError(f"The server closed a connection after {self.answer[:200]!r}.")
        self.answer += received
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return None
        return int(head[9:12])


def send_all(requests: Sequence[bytes], *, port: int, connections: int) -> Outcome:
    """Sends every request once, over as many connections as named, and waits for every answer."""
    outcome = Outcome()
    waiting = iter(requests)
    lines = [_Line(port) for _ in range(min(connections, len(requests)))]
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for line in lines:
            line.send(next(waiting))
            selector.register(line.socket, selectors.EVENT_READ, line)
        while len(outcome.latencies_ms) < len(requests):
            ready = selector.select(LONGEST_SILENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"No answer for {LONGEST_SILENCE_SECONDS} s.")
            for key, _ in ready:
                line = key.data
                status = line.receive()
                if status is None:
                    continue
                outcome.latencies_ms.append((time.perf_counter() - line.sent_at) * 1000)
                outcome.statuses[status] += 1
                request = next(waiting, None)
                if request is not None:
                    line.send(request)
        outcome.seconds = time.perf_counter() - started
    for line in lines:
        line.socket.close()
    return outcome


def _content_length(head: bytes) -> int:
    for name in (b"content-length:", b"Content-Length:"):
        _, found, rest = head.partition(name)
        if found:
            return int(rest.partition(b"\r\n")[0])
    raise ValueError(f"An answer without Content-Length: {head[:200]!r}")
