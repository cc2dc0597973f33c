from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from kernel.uuids import uuid7
from payments.models import StagingProcessLog
from paymentsite.monitoring import dependencies, health, views
from paymentsite.monitoring.checks import BoundedCheck
from paymentsite.monitoring.dependencies import StagingState

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)
CHECKS = ("DATABASE", "KAFKA", "REDIS", "STAGING")


def say_yes() -> bool:
    return True


def fail() -> bool:
    raise ConnectionError("host secret-host, password secret-word")


def hang() -> bool:
    time.sleep(3)
    return True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Replaces what the checks ask; every check starts without memory."""

    def ask(**questions: Any) -> None:
        for name in CHECKS:
            question = questions.get(name.lower(), say_yes if name != "STAGING" else lambda: StagingState(0, None))
            monkeypatch.setattr(health, name, BoundedCheck(name.lower(), question, fresh_seconds=0))

    return ask  # type: ignore[return-value]


@pytest.fixture
def real_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, question in (
        ("DATABASE", dependencies.ask_database),
        ("KAFKA", dependencies.KafkaQuestion()),
        ("REDIS", dependencies.ask_redis),
        ("STAGING", dependencies.ask_staging),
    ):
        monkeypatch.setattr(health, name, BoundedCheck(name.lower(), question, fresh_seconds=0))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("real_checks")
def test_health_is_the_seeds_body_when_all_is_well(client: Client) -> None:
    StagingProcessLog.objects.create(
        id=uuid7(AT),
        batch_start_id=1,
        batch_end_id=1,
        total_records=1,
        processed_records=1,
        status="completed",
        started_at=AT,
    )
    answer = client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert isinstance(body["checks"].pop("staging_backlog"), int)
    assert body == {
        "status": "healthy",
        "checks": {"database": "ok", "kafka": "ok", "redis": "ok", "last_staging_run": "2026-11-05T12:00:00Z"},
    }
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("name", ["database", "kafka", "redis"])
@pytest.mark.parametrize("fault", [fail, hang])
def test_one_that_fails_or_hangs_makes_it_unhealthy_within_a_second(
    client: Client, asked: Any, name: str, fault: Any
) -> None:
    asked(**{name: fault})
    began = time.monotonic()
    answer = client.get("/health")
    assert time.monotonic() - began < 1.5
    assert answer.status_code == 503
    body = answer.json()
    assert body["status"] == "unhealthy"
    words = {check: body["checks"][check] for check in ("database", "kafka", "redis")}
    assert words == {"database": "ok", "kafka": "ok", "redis": "ok"} | {name: "error"}


def test_all_that_hang_together_cost_one_second_and_not_four(client: Client, asked: Any) -> None:
    asked(database=hang, kafka=hang, redis=hang, staging=hang)
    began = time.monotonic()
    answer = client.get("/health")
    assert time.monotonic() - began < 1.5
    assert answer.json()["checks"] == {
        "database": "error",
        "kafka": "error",
        "redis": "error",
        "staging_backlog": None,
        "last_staging_run": None,
    }


def test_nothing_of_the_cause_is_told(client: Client, asked: Any) -> None:
    asked(database=fail)
    assert b"secret" not in client.get("/health").content


@pytest.mark.usefixtures("real_checks")
def test_a_broker_and_a_redis_that_are_away_are_errors(settings: Settings, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    settings.KAFKA_BROKERS = "127.0.0.1:1"
    found = health.look_at_everything()
    assert (found.kafka, found.redis) == (False, False)
    settings.KAFKA_BROKERS = None
    settings.KAFKA_ADDRESS_FILE = tmp_path / "never written"
    assert health.look_at_everything().kafka is False


def test_ready_asks_the_database_alone(client: Client, asked: Any) -> None:
    asked(kafka=fail, redis=fail, staging=fail)
    assert (client.get("/health/ready").status_code, client.get("/health/ready").json()) == (200, {"status": "ready"})
    asked(database=fail)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})


def test_live_asks_nobody(client: Client, asked: Any) -> None:
    asked(database=fail, kafka=fail, redis=fail, staging=fail)
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


@pytest.mark.parametrize(("is_warm", "status", "word"), [(True, 200, "started"), (False, 503, "starting")])
def test_the_start_is_over_when_the_cache_is_warm(
    client: Client, asked: Any, monkeypatch: pytest.MonkeyPatch, is_warm: bool, status: int, word: str
) -> None:
    asked()
    monkeypatch.setattr(views, "is_warm", lambda: is_warm)
    answer = client.get("/health/startup")
    assert (answer.status_code, answer.json()) == (status, {"status": word})


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/startup"])
def test_health_is_only_read(client: Client, asked: Any, path: str) -> None:
    asked()
    assert client.post(path).status_code == 405
    assert client.head(path).status_code == client.get(path).status_code


def test_a_server_that_hangs_is_asked_by_one_thread_however_many_want_to_know() -> None:
    released, times_asked = threading.Event(), []

    def ask() -> bool:
        times_asked.append(1)
        return released.wait(5)

    check: BoundedCheck[bool] = BoundedCheck("slow", ask, fresh_seconds=10)
    for _ in range(5):
        check.begin()
        assert check.answer(deadline=time.monotonic() + 0.01) is None
    released.set()
    check.begin()
    assert check.answer(deadline=time.monotonic() + 5) is True
    check.begin()
    assert check.answer(deadline=time.monotonic()) is True
    assert len(times_asked) == 1


def test_an_answer_is_asked_for_again_when_it_is_no_longer_fresh() -> None:
    answers = iter([True, False])
    check: BoundedCheck[bool] = BoundedCheck("changing", lambda: next(answers), fresh_seconds=0)
    for expected in (True, False):
        check.begin()
        assert check.answer(deadline=time.monotonic() + 5) is expected


def test_the_answers_are_json(client: Client, asked: Any) -> None:
    asked()
    answer = client.get("/health")
    assert answer["Content-Type"] == "application/json"
    assert list(json.loads(answer.content)) == ["status", "checks"]
