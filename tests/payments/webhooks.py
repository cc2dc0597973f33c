"""Signed requests for tests, made by the standard library alone and not by the code that checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import threading
import time
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from kernel.audit.actors import Actor
from payments.models import Channel
from payments.operations.channels import create_channel
from payments.states import SignatureScheme

KEY = b"a-key-of-thirty-two-bytes-length"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PLAIN_SECRET = "a plain secret for tests"
ADDRESS = "/api/v1/payments/webhook"
ACTOR = Actor.system("tests")
_local = threading.local()


def make_channel(slug: str = "generic", **settings: Any) -> Channel:
    scheme = settings.get("scheme", SignatureScheme.STANDARD_WEBHOOKS)
    secret = SECRET if scheme is SignatureScheme.STANDARD_WEBHOOKS else PLAIN_SECRET
    values: dict[str, Any] = {
        "slug": slug,
        "name": slug,
        "secret": secret,
        "actor": ACTOR,
        "at": timezone.now(),
    } | settings
    return create_channel(**values).channel


def body_of(**changes: Any) -> dict[str, Any]:
    return {
        "reference_number": "REF-1",
        "loan_account_number": "LN100",
        "cif": "CIF100",
        "amount": 125.5,
        "payment_date": "2026-11-05T13:45:00Z",
    } | changes


def raw(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def signature(webhook_id: str, timestamp: int | str, body: bytes, key: bytes = KEY) -> str:
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def signed(body: bytes, *, webhook_id: str = "msg_1", at: float | None = None, key: bytes = KEY) -> dict[str, str]:
    timestamp = int(time.time() if at is None else at)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook_id, timestamp, body, key),
    }


def post(
    body: Any = None,
    *,
    path: str = ADDRESS,
    headers: dict[str, str] | None = None,
    webhook_id: str = "msg_1",
    content_type: str = "application/json",
    **extra: Any,
) -> HttpResponse:
    """Posts a body, signed unless headers are given; the answer."""
    sent = raw(body_of() if body is None else body)
    given = signed(sent, webhook_id=webhook_id) if headers is None else headers
    return _client().post(path, sent, content_type=content_type, headers=given, **extra)  # type: ignore[return-value]


def ask(
    path: str, body: bytes = b"", *, method: str = "POST", headers: dict[str, str] | None = None, app: Any = None
) -> tuple[int, dict[str, str], bytes]:
    """What the whole WSGI application answers: status, headers, body."""
    answered: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        answered["status"], answered["headers"] = int(status.split()[0]), dict(headers)
        assert len(headers) == len(answered["headers"])

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
    } | {"HTTP_" + name.upper().replace("-", "_"): value for name, value in (headers or {}).items()}
    if app is None:
        from paymentsite.wsgi import application as app
    answer = b"".join(app(environ, start_response))
    return answered["status"], answered["headers"], answer


def _client() -> Client:
    """One for each thread: a new one would load the middleware again for every request."""
    if not hasattr(_local, "client"):
        _local.client = Client()
    client: Client = _local.client
    return client
