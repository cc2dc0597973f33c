"""An open-loop load generator: requests are sent when their moment comes, whether or not earlier ones are answered.

Latency counts from the scheduled moment, so a server that stalls is charged for everybody who had to wait. It runs in
a process of its own (`send_at_rate`), so that neither side of the benchmark waits for the other's interpreter.
"""

from __future__ import annotations

import gc
import json
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ANSWER_BYTES = 65536
LONGEST_SILENCE_SECONDS = 20.0
LISTEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it: answers by status, each one's latency in ms in the order of sending, and the lateness of us.

    `late_ms` is the 99th percentile of how late the generator itself was; where it is not small, the figures are its
    own. `waited_seconds` is how long nobody listened on the port before the first request.
    """

    statuses: dict[int, int]
    latencies_ms: list[float]
    late_ms: float
    seconds: float
    waited_seconds: float

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def send_at_rate(requests: Sequence[bytes], *, port: int, rate: float, connections: int, folder: Path) -> Sent:
    """Sends the requests in a process of its own, from the moment on at which the port listens."""
    return begin_sending(requests, port=port, rate=rate, connections=connections, folder=folder).result()


class Sending:
    """A generator on its way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def result(self) -> Sent:
        said, complaint = self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError(f"The generator failed: {complaint[-2000:]}")
        found = json.loads(said)
        return Sent(**found | {"statuses": {int(status): count for status, count in found["statuses"].items()}})


def begin_sending(requests: Sequence[bytes], *, port: int, rate: float, connections: int, folder: Path) -> Sending:
    """The same, while the caller goes on: to start the server, for example."""
    file = folder / "requests.bin"
    with file.open("wb") as output:
        for request in requests:
            output.write(len(request).to_bytes(4, "big") + request)
    command = [sys.executable, "-m", "benchmarks.openloop", str(file), str(port), str(rate), str(connections)]
    return Sending(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


class _Line:
    """One kept-alive connection; the moments of the requests that it carries, one at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONGEST_SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_at = 0.0
        self.place = 0
        self.answer = b""

    def send(self, request: bytes, *, place: int, due_at: float) -> None:
        self.answer, self.place, self.due_at = b"", place, due_at
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the answer is whole, else None. Raises ConnectionError when the server hangs up."""
        received = self.socket.recv(ANSWER_BYTES)
        if not received:
            raise ConnectionError(f"The server closed a connection after {self.answer[:200]!r}.")
        self.answer += received
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or len(body) < content_length(head):
            return None
        return int(head[9:12])


class _Generator:
    """Keeps the schedule: a request that finds every connection busy waits, and its waiting counts."""

    def __init__(self, requests: Sequence[bytes], *, port: int, rate: float, connections: int) -> None:
        if connections < 1:
            raise ValueError("At least one connection is needed.")
        self.requests = requests
        self.interval = 1 / rate
        self.free = deque(_Line(port) for _ in range(connections))
        self.selector = selectors.DefaultSelector()
        for line in self.free:
            self.selector.register(line.socket, selectors.EVENT_READ, line)
        self.statuses: Counter[int] = Counter()
        self.latencies_ms = [0.0] * len(requests)
        self.lateness_ms: list[float] = []
        self.was_busy = False
        self.answered = 0

    def run(self) -> float:
        """Seconds from the first scheduled moment to the last answer."""
        begin = time.perf_counter()
        sent, heard_at = 0, begin
        while self.answered < len(self.requests):
            now = time.perf_counter()
            while self.free and sent < len(self.requests) and begin + sent * self.interval <= now:
                due_at = begin + sent * self.interval
                # When every connection was busy, it was not us who were late.
                if not self.was_busy:
                    self.lateness_ms.append((now - due_at) * 1000)
                self.free.popleft().send(self.requests[sent], place=sent, due_at=due_at)
                sent += 1
            self.was_busy = not self.free
            if self._hear(begin + sent * self.interval if self.free and sent < len(self.requests) else None):
                heard_at = time.perf_counter()
            elif time.perf_counter() - heard_at > LONGEST_SILENCE_SECONDS:
                raise TimeoutError(f"No answer for {LONGEST_SILENCE_SECONDS:.0f} s.")
        return time.perf_counter() - begin

    def _hear(self, until: float | None) -> bool:
        """Takes what has come by then; whether anything has."""
        patience = LONGEST_SILENCE_SECONDS if until is None else max(until - time.perf_counter(), 0.0)
        heard = self.selector.select(patience)
        for key, _ in heard:
            line: _Line = key.data
            status = line.receive()
            if status is not None:
                self.latencies_ms[line.place] = (time.perf_counter() - line.due_at) * 1000
                self.statuses[status] += 1
                self.answered += 1
                self.free.append(line)
        return bool(heard)


def send(requests: Sequence[bytes], *, port: int, rate: float, connections: int) -> Sent:
    """Waits until the port listens, then sends every request at its moment and waits for every answer."""
    waited = wait_for_port(port)
    generator = _Generator(requests, port=port, rate=rate, connections=connections)
    # A pause of our own collector would look like one of the server.
    gc.disable()
    seconds = generator.run()
    late = sorted(generator.lateness_ms) or [0.0]
    return Sent(dict(generator.statuses), generator.latencies_ms, late[int(len(late) * 0.99)], seconds, waited)


def wait_for_port(port: int) -> float:
    """Seconds until somebody listened. Raises TimeoutError after a minute."""
    began = time.perf_counter()
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter() - began
        if time.perf_counter() - began > LISTEN_SECONDS:
            raise TimeoutError(f"Nobody listened on port {port} within {LISTEN_SECONDS:.0f} s.")
        time.sleep(0.0005)


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError(f"An answer without Content-Length: {head[:200]!r}")


def read_requests(file: Path) -> list[bytes]:
    content, place, requests = file.read_bytes(), 0, []
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        requests.append(content[place + 4 : place + 4 + length])
        place += 4 + length
    return requests


if __name__ == "__main__":
    named, at_port, at_rate, over = sys.argv[1:]
    done = send(read_requests(Path(named)), port=int(at_port), rate=float(at_rate), connections=int(over))
    print(json.dumps(asdict(done)))
