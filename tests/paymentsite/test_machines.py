"""Webhooks go past the middlewares that are for people, and meet the same views."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pytest_django import Settings

from paymentsite.machines import MachineHandler, split_by_path
from paymentsite.wsgi import application

pytestmark = pytest.mark.django_db(transaction=True)


def ask(path: str, *, method: str = "GET", app: Any = application) -> tuple[int, dict[str, str], bytes]:
    """What the application answers: status, headers, body."""
    answered: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        answered["status"], answered["headers"] = int(status.split()[0]), dict(headers)

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": "0",
    }
    body = b"".join(app(environ, start_response))
    return answered["status"], answered["headers"], body


def test_a_webhook_is_answered_by_its_view_with_a_request_id() -> None:
    status, headers, body = ask("/api/v1/payments/webhook/nobody", method="POST")

    assert status == 404
    assert b'"code":"channel-unknown"' in body
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert len(headers["X-Request-ID"]) >= 16


def test_an_address_below_the_webhooks_that_does_not_exist_is_a_problem_too() -> None:
    status, headers, _ = ask("/api/v1/payments/webhook/a/b/c", method="POST")

    assert (status, headers["Content-Type"]) == (404, "application/problem+json")


def test_people_still_pass_through_everything_that_is_for_them() -> None:
    status, headers, _ = ask("/admin/login/")

    assert status == 200
    assert headers["X-Frame-Options"] == "DENY"
    assert "csrftoken" in str(headers)


def test_only_webhooks_take_the_short_way() -> None:
    taken: list[str] = []

    def mark(name: str) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            taken.append(name)
            start_response("200 OK", [])
            return []

        return app

    app = split_by_path(mark("people"), mark("machines"))
    for path in ("/api/v1/payments/webhook", "/api/v1/payments/webhook/x", "/api/v1/payments", "/admin/", ""):
        ask(path, app=app)

    assert taken == ["machines", "machines", "people", "people", "people"]


def test_a_middleware_with_a_view_hook_is_refused_at_start(settings: Settings) -> None:
    settings.MACHINE_MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]

    with pytest.raises(RuntimeError, match="CsrfViewMiddleware has process_view"):
        ask("/api/v1/payments/webhook", app=MachineHandler())
