"""From a partner's machine to the payment: the script of the docs, over HTTP, with curl and openssl."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from kernel.outbox.models import OutboxEvent
from payments.models import Payment, ReferenceConflict, WebhookReceipt
from tests.payments.webhooks import ADDRESS, SECRET, body_of, make_channel, raw, signed

SCRIPT = Path(settings.BASE_DIR) / "docs" / "send_webhooks.sh"
pytestmark = pytest.mark.django_db(transaction=True)
needs_programs = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not on this machine"
)


def run_script(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": os.environ.get("TMPDIR", "/tmp"), **variables}  # noqa: S108
    return subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=60, check=False)


@needs_programs
def test_the_script_of_the_docs_makes_a_payment_a_duplicate_and_a_conflict(live_server: LiveServer) -> None:
    make_channel()
    done = run_script(BASE_URL=live_server.url, SECRET=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line.rpartition(": ")[2] for line in lines if ": HTTP" in line] == [
        "HTTP 201 (expected 201)",
        "HTTP 200 (expected 200)",
        "HTTP 409 (expected 409)",
    ]
    payment = Payment.objects.get()
    assert {answer["payment_id"] for answer in answers} == {str(payment.id)}
    assert answers[2]["difference"] == [{"field": "amount", "recorded": "125.50", "received": "130.00"}]
    assert list(WebhookReceipt.objects.order_by("received_at").values_list("outcome", flat=True)) == [
        "created",
        "duplicate",
        "conflict",
    ]
    assert ReferenceConflict.objects.count() == 1
    event = OutboxEvent.objects.get()
    assert (event.subject, event.key) == (str(payment.id), "LN10000417")
    assert '"amount" : 125.50' in event.body


@needs_programs
def test_the_script_with_another_secret_records_nothing(live_server: LiveServer) -> None:
    make_channel()
    done = run_script(BASE_URL=live_server.url, SECRET="whsec_" + "A" * 43 + "=")
    assert done.returncode == 1
    assert done.stdout.count('"code":"signature-wrong"') == 3
    assert (Payment.objects.count(), OutboxEvent.objects.count()) == (0, 0)


@needs_programs
def test_the_script_without_a_secret_says_what_it_needs() -> None:
    for variables in ({}, {"SECRET": "no prefix"}):
        done = run_script(**variables)
        assert done.returncode == 2
        assert "Usage: BASE_URL=" in done.stderr


def test_an_announced_length_above_the_limit_is_refused_before_the_body_is_sent(live_server: LiveServer) -> None:
    make_channel()
    client = http.client.HTTPConnection(live_server.thread.host, live_server.thread.port, timeout=10)
    client.putrequest("POST", ADDRESS)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(10**9), **signed(b"")}.items():
        client.putheader(name, value)
    client.endheaders()
    response = client.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (413, "body-too-large")
    client.close()


def test_a_body_that_ends_early_is_refused(live_server: LiveServer) -> None:
    make_channel()
    body = raw(body_of())
    client = http.client.HTTPConnection(live_server.thread.host, live_server.thread.port, timeout=10)
    client.putrequest("POST", ADDRESS)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(body) + 5),
        **signed(body),
    }.items():
        client.putheader(name, value)
    client.endheaders(body)
    assert client.sock is not None
    client.sock.shutdown(1)
    response = client.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (400, "body-unreadable")
    client.close()
    assert Payment.objects.count() == 0
