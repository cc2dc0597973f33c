"""What a web process makes ready before it listens."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kernel import redisclient
from kernel.redisclient import RedisAway
from payments.webhooks import startup
from tests.architecture.sources import ROOT

FIRST_LOOK = """
import sys
import django
django.setup()
from django.urls import resolve
from payments.webhooks.startup import know_addresses
know_addresses()
before = set(sys.modules)
for path in ("/api/v1/payments/webhook", "/api/v1/payments", "/admin/", "/health"):
    resolve(path)
print(sorted(set(sys.modules) - before))
"""


def test_the_first_request_imports_nothing_to_find_its_page() -> None:
    said = subprocess.run(
        [sys.executable, "-c", FIRST_LOOK],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "paymentsite.settings"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == "[]"


def test_a_redis_that_is_away_holds_no_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def silent(question: object) -> None:
        asked.append("ping")
        raise RedisAway

    monkeypatch.setattr(startup, "ask_redis", silent)
    startup.know_addresses()
    assert asked == ["ping"]
    assert redisclient.circuit.lets_through()
