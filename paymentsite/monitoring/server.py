"""A small server for the metrics alone, on a port of its own, so that they need not share the public one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from kernel.errors import PaymentsiteError
from paymentsite.monitoring.access import admit_to_metrics
from paymentsite.monitoring.exposition import exposition

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

SLOWEST_CLIENT_SECONDS = 5
FORWARDING_VARIABLES = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Request(WSGIRequestHandler):
    timeout = SLOWEST_CLIENT_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for every scrape would say nothing new."""


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """GET /metrics as the web process answers it; refusals are one line of text."""
    if environ["PATH_INFO"] != "/metrics":
        return _say(start_response, HTTPStatus.NOT_FOUND, "Only /metrics is served here.")
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return _say(start_response, HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered here.")
    try:
        admit_to_metrics(
            authorization=environ.get("HTTP_AUTHORIZATION", ""),
            peer=environ.get("REMOTE_ADDR", ""),
            is_forwarded=any(variable in environ for variable in FORWARDING_VARIABLES),
        )
    except PaymentsiteError as refusal:
        return _say(start_response, HTTPStatus(refusal.status), f"{refusal.detail} {refusal.next_step}")
    body, content_type = exposition(environ.get("HTTP_ACCEPT", ""))
    start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def make_metrics_server(host: str, port: int) -> WSGIServer:
    """Listens at once; `serve_forever` answers. Port 0 takes a free one. Raises OSError when it cannot be had."""
    return make_server(host, port, application, server_class=_Server, handler_class=_Request)


def serve_until_told_to_stop(server: WSGIServer) -> None:
    """Answers until SIGTERM or SIGINT. Call it from the main thread: signals come there."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    stop.wait()
    server.shutdown()
    server.server_close()


def _say(start_response: StartResponse, status: HTTPStatus, text: str) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
