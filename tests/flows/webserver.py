"""The web process of ours as it runs in life (granian, the WSGI door), on loopback, over the tests' own database."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from django.conf import settings
from django.db import connection

from tests.faults.test_supervisor import CHECKOUT, free_port, wait_for
from tests.payments.webhooks import ADDRESS

Header = tuple[str, str]
START_SECONDS = 60
ANSWER_SECONDS = 20


class WebServer:
    """Up between entering and leaving; `log` is everything that it printed."""

    def __enter__(self) -> WebServer:
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="ps-")
        self._output = Path(self._folder.name) / "web.out"
        database = connection.settings_dict
        own = {
            "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
            "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
            "PAYMENTSITE_ROLE": "web",
            "LOG_LEVEL": "debug",
            "PROMETHEUS_MULTIPROC_DIR": self._folder.name,
            "DB_POOL_MIN": "1",
        }
        listen = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port), "--blocking-threads", "8"]
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "granian", *listen, "--workers", "1", "paymentsite.wsgi:application"],
                cwd=CHECKOUT,
                env=os.environ | own,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        assert wait_for(self._answers, START_SECONDS), self.log()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def log(self) -> str:
        return self._output.read_text()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS)

    def ask(self, request: bytes, *, ends: bool = False) -> tuple[int, str]:
        """Sends the bytes as they are; the status and the problem's code of the answer, 0 when there was none."""
        with self.connect() as connected:
            connected.sendall(request)
            if ends:
                connected.shutdown(socket.SHUT_WR)
            return answer_on(connected)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            return self.ask(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
        except OSError:
            return False


def answer_on(connected: socket.socket) -> tuple[int, str]:
    received = b""
    try:
        while not _is_whole(received) and (part := connected.recv(65536)):
            received += part
    except ConnectionError:
        pass
    status = re.match(rb"HTTP/1\.[01] (\d{3})", received)
    code = re.search(rb'"(?:code|status)":"([a-z-]+)"', received)
    return int(status[1]) if status else 0, code[1].decode() if code else ""


def _is_whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def request_of(
    body: bytes, *headers: Header, signing: Iterable[Header], first: str = f"POST {ADDRESS} HTTP/1.1"
) -> bytes:
    """A request byte by byte: nothing is checked, joined or corrected on its way."""
    lines = [first, "Host: localhost", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in [*signing, *headers]]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(body: bytes, size: int = 40) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
