"""Webhooks go past Django's handler and are answered as behind it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.db import connection

from payments.models import Payment
from payments.webhooks.door import in_front_of
from tests.payments.webhooks import ADDRESS, ask, body_of, make_channel, post, raw, signed

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_signed_notice_is_recorded_and_answered_as_behind_djangos_handler() -> None:
    make_channel()
    body = raw(body_of())

    status, headers, answer = ask(ADDRESS, body, headers=signed(body))
    behind = post(body_of(), webhook_id="msg_2")

    assert (status, json.loads(answer)["status"]) == (201, "created")
    assert json.loads(answer)["payment_id"] == str(Payment.objects.get().id) == behind.json()["payment_id"]  # type: ignore[attr-defined]
    assert headers["Content-Type"] == behind["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(answer))
    assert set(headers) == {name for name, _ in behind.items()} - {"X-Frame-Options", "Vary", "Content-Language"}


def test_a_refusal_is_the_same_problem_with_the_same_headers() -> None:
    status, headers, answer = ask(f"{ADDRESS}/nobody", b"{}")
    behind = post(b"{}", path=f"{ADDRESS}/nobody")

    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert len(headers["X-Request-ID"]) >= 16
    ours, theirs = json.loads(answer), json.loads(behind.content)
    assert ours | {"request_id": ""} == theirs | {"request_id": ""}
    assert ours["request_id"] == headers["X-Request-ID"]


def test_the_request_id_of_the_sender_is_kept_and_ends_with_the_request() -> None:
    _, headers, answer = ask(f"{ADDRESS}/nobody", headers={"X-Request-ID": "trace-1"})
    _, later, _ = ask(f"{ADDRESS}/nobody")

    assert headers["X-Request-ID"] == json.loads(answer)["request_id"] == "trace-1"
    assert later["X-Request-ID"] != "trace-1"


@pytest.mark.parametrize(
    "path", [f"{ADDRESS}/a/b/c", f"{ADDRESS}/", f"{ADDRESS}s", f"{ADDRESS}/sl%C3%BCg", "/api/v1/x"]
)
def test_any_other_address_is_djangos_to_answer(path: str) -> None:
    status, headers, _ = ask(path)

    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert "X-Frame-Options" in headers


def test_people_pass_through_everything_that_is_for_them() -> None:
    status, headers, _ = ask("/admin/login/", method="GET")

    assert status == 200
    assert headers["X-Frame-Options"] == "DENY"
    assert "csrftoken" in str(headers)


def test_only_webhooks_take_the_short_way() -> None:
    passed_on: list[str] = []

    def people(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        passed_on.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return []

    app = in_front_of(people)
    for path in (ADDRESS, f"{ADDRESS}/x", "/api/v1/payments", "/admin/", ""):
        ask(path, app=app)

    assert passed_on == ["/api/v1/payments", "/admin/", ""]


def test_a_defect_is_a_500_that_gives_nothing_away_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_channel()
    monkeypatch.setattr("payments.webhooks.answers.read_notice", lambda *_: 1 / 0)
    body = raw(body_of())

    with caplog.at_level(logging.ERROR):
        status, headers, answer = ask(ADDRESS, body, headers=signed(body))

    assert (status, json.loads(answer)["code"]) == (500, "internal-error")
    assert headers["Content-Type"] == "application/problem+json"
    assert b"ZeroDivision" not in answer
    assert "ZeroDivisionError" in caplog.text
    assert Payment.objects.count() == 0


def test_another_method_is_refused_with_the_one_that_is_allowed() -> None:
    status, headers, answer = ask(ADDRESS, method="GET")

    assert (status, headers["Allow"], json.loads(answer)["code"]) == (405, "POST", "method-not-allowed")


def test_the_tests_own_connection_is_left_open() -> None:
    ask(f"{ADDRESS}/nobody")

    assert connection.connection is not None
