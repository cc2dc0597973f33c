"""Settings are read at import, so each case is a process of its own that says what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SHOWN = """
import json, sys
from paymentsite import settings
names = sys.argv[1:]
print(json.dumps({name: getattr(settings, name) for name in names}, default=str))
"""
Outcome = tuple[int, dict[str, Any], str]
Reader = Callable[..., Outcome]


@pytest.fixture
def settings_of(tmp_path: Path) -> Reader:
    def read(*names: str, **variables: str) -> Outcome:
        environment = {
            "PATH": os.environ["PATH"],
            "PAYMENTSITE_STATE": str(tmp_path / "state"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NODE_ENV": "test",
        } | variables
        ended = subprocess.run(
            [sys.executable, "-c", SHOWN, *names], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )
        return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr

    return read


def test_with_nothing_set_every_server_is_the_embedded_one(settings_of: Reader) -> None:
    status, found, _ = settings_of(
        "DATABASE_IS_EMBEDDED", "REDIS_IS_EMBEDDED", "KAFKA_IS_EMBEDDED", "DATABASES", "REDIS_URL", "DEBUG"
    )
    assert status == 0
    assert [found[name] for name in ("DATABASE_IS_EMBEDDED", "REDIS_IS_EMBEDDED", "KAFKA_IS_EMBEDDED")] == [True] * 3
    assert found["DATABASES"]["default"]["HOST"].startswith("/")
    assert found["REDIS_URL"].startswith("unix:///")
    assert found["DEBUG"] is False


def test_every_variable_of_the_seed_is_honoured_by_its_name(settings_of: Reader) -> None:
    given = {
        "PORT": "3999",
        "DB_POOL_MIN": "2",
        "DB_POOL_MAX": "9",
        "REDIS_TTL_SECONDS": "60",
        "KAFKA_BROKERS": "a.example:9092,b.example:9092",
        "KAFKA_TOPIC": "other.events",
        "KAFKA_CLIENT_ID": "other-client",
        "STAGING_BATCH_SIZE": "77",
        "STAGING_INTERVAL_SECONDS": "5",
        "STAGING_MAX_RETRIES": "0",
        "REFERENCE_CACHE_TTL_DAYS": "30",
        "PARTITION_RETENTION_MONTHS": "24",
        "MEMORY_CACHE_MAX_SIZE": "10",
        "ENABLE_MEMORY_CACHE": "false",
        "ENABLE_REDIS_CACHE": "true",
        "WEBHOOK_TIMEOUT_MS": "1500",
        "ENABLE_METRICS": "false",
        "METRICS_PORT": "9464",
        "LOG_LEVEL": "warn",
    }
    status, found, errors = settings_of(*given, **given)
    assert (status, errors) == (0, "")
    expected: dict[str, Any] = {
        name: {"true": True, "false": False}.get(value, int(value) if value.isdigit() else value)
        for name, value in given.items()
    }
    assert found == expected


def test_the_split_variables_of_the_seed_name_the_database_and_redis(settings_of: Reader) -> None:
    _, found, _ = settings_of(
        "DATABASES",
        "REDIS_URL",
        "DATABASE_IS_EMBEDDED",
        "REDIS_IS_EMBEDDED",
        DB_HOST="db.example",
        DB_PORT="6432",
        DB_USERNAME="u",
        DB_PASSWORD="p",
        DB_DATABASE="d",
        REDIS_HOST="redis.example",
        REDIS_PORT="6380",
    )
    database = found["DATABASES"]["default"]
    assert [database[key] for key in ("HOST", "PORT", "USER", "PASSWORD", "NAME")] == [
        "db.example",
        "6432",
        "u",
        "p",
        "d",
    ]
    assert found["REDIS_URL"] == "redis://redis.example:6380/0"
    assert (found["DATABASE_IS_EMBEDDED"], found["REDIS_IS_EMBEDDED"]) == (False, False)


def test_the_url_goes_before_the_split_variables(settings_of: Reader) -> None:
    _, found, _ = settings_of("DATABASES", DATABASE_URL="postgresql://u@first.example/d", DB_HOST="second.example")
    assert found["DATABASES"]["default"]["HOST"] == "first.example"


@pytest.mark.parametrize(
    ("role", "pooled", "lasting"), [("web", True, False), ("worker", False, True), ("relay", False, True)]
)
def test_only_the_web_shares_a_pool_between_its_threads(
    settings_of: Reader, role: str, pooled: bool, lasting: bool
) -> None:
    _, found, _ = settings_of("DATABASES", PAYMENTSITE_ROLE=role)
    database = found["DATABASES"]["default"]
    assert ("pool" in database["OPTIONS"]) is pooled
    assert ("CONN_HEALTH_CHECKS" in database) is lasting
    assert database["OPTIONS"]["application_name"] == f"paymentsite-{role}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "70000", "a whole number from 1 to 65535"),
        ("STAGING_BATCH_SIZE", "many", "a whole number from 1 to 50000"),
        ("LEDGER_TIME_ZONE", "Vancouver", "the name of a time zone"),
        ("LEDGER_CURRENCY", "dollars", "an ISO 4217 code"),
        ("STAGING_TABLE", "a;b", "table or schema.table"),
        ("KAFKA_BROKERS", "nowhere", "host:port"),
        ("ENABLE_METRICS", "perhaps", "true or false"),
        ("LOG_LEVEL", "loud", "one of debug, info"),
        ("NODE_ENV", "staging", "one of development, production, test"),
        ("FIELD_ENCRYPTION_KEYS", "geheim", "32 bytes as URL-safe base64"),
        ("DATABASE_URL", "mysql://u:geheim@h/d", "postgresql://"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line(settings_of: Reader, name: str, value: str, expected: str) -> None:
    status, _, errors = settings_of("PORT", **{name: value})
    assert status == 1
    assert errors.count("\n") == 1
    assert errors.startswith(f"{name} is ")
    assert expected in errors
    assert "geheim" not in errors


@pytest.mark.parametrize("missing", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"])
def test_production_makes_up_no_secret(settings_of: Reader, missing: str) -> None:
    given = {"SECRET_KEY": "s" * 50, "FIELD_ENCRYPTION_KEYS": "k" * 43 + "="}
    del given[missing]
    status, _, errors = settings_of("PORT", NODE_ENV="production", **given)
    assert status == 1
    assert errors.startswith(f"{missing} is not set")
    assert errors.count("\n") == 1


def test_a_secret_of_development_is_made_once_and_kept_private(settings_of: Reader, tmp_path: Path) -> None:
    _, first, _ = settings_of("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    _, second, _ = settings_of("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    assert first == second
    assert len(first["SECRET_KEY"]) == 44
    kept = sorted((tmp_path / "state" / "secrets").iterdir())
    assert [path.name for path in kept] == ["field_encryption_key", "secret_key"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*kept, kept[0].parent])


def test_the_log_knows_the_role_and_the_level(settings_of: Reader) -> None:
    _, found, _ = settings_of("LOGGING", PAYMENTSITE_ROLE="relay", LOG_LEVEL="error")
    assert found["LOGGING"]["formatters"]["json"]["role"] == "relay"
    assert found["LOGGING"]["root"] == {"handlers": ["stream"], "level": "ERROR"}
