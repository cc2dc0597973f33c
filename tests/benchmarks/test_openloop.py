"""The open-loop generator: it keeps its schedule whatever the server does, and charges the server for the waiting."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.openloop import content_length, read_requests, send, send_at_rate

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stalling:
    """Answers one request after the other; the one of this number only when it is let go."""

    def __init__(self, stalls_at: int | None = None) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.stalls_at = stalls_at
        self.go_on = threading.Event()
        self.answered = 0

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                while connection.recv(65536):
                    if self.answered == self.stalls_at:
                        self.go_on.wait(10)
                    self.answered += 1
                    connection.sendall(ANSWER)


@contextmanager
def running(server: Stalling) -> Iterator[Stalling]:
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        thread.join(10)


def test_every_request_is_sent_once_and_every_answer_counted(tmp_path: Path) -> None:
    with running(Stalling()) as server:
        sent = send_at_rate([REQUEST] * 50, port=server.port, rate=1000, connections=1, folder=tmp_path)
    assert sent.statuses == {200: 50}
    assert len(sent.latencies_ms) == 50
    assert all(latency > 0 for latency in sent.latencies_ms)
    assert server.answered == 50


def test_those_who_wait_behind_a_stall_are_late_from_their_own_moment_on() -> None:
    with running(Stalling(stalls_at=2)) as server:
        threading.Timer(0.3, server.go_on.set).start()
        sent = send([REQUEST] * 20, port=server.port, rate=1000, connections=1)
    assert sent.statuses == {200: 20}
    stalled, *behind = sent.latencies_ms[2:]
    # Each was due a millisecond after the one before, and all of them were answered after the stall.
    assert stalled > 250
    assert all(latency > 200 for latency in behind)


def test_a_generator_that_fails_says_why(tmp_path: Path) -> None:
    with running(Stalling()) as server, pytest.raises(RuntimeError, match="ValueError"):
        send_at_rate([REQUEST], port=server.port, rate=1000, connections=0, folder=tmp_path)


def test_requests_go_through_the_file_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "requests"
    requests = [b"", b"a" * 300, bytes(range(256))]
    file.write_bytes(b"".join(len(request).to_bytes(4, "big") + request for request in requests))
    assert read_requests(file) == requests


def test_the_length_of_an_answer_is_found_however_it_is_spelt() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 17") == 17
    with pytest.raises(ValueError, match="without Content-Length"):
        content_length(b"HTTP/1.1 200 OK")
