"""The connections of a database that has grown: a pooler for the web, PostgreSQL itself for the rest, a replica."""

from __future__ import annotations

from typing import Any

import pytest

from paymentsite.databases import behind_pooler, replica_of
from paymentsite.environment import Environment

POOL = {"min_size": 10, "max_size": 50, "timeout": 2.5}
DIRECT = "postgresql://u:p@db.example:5432/d?sslmode=require"


def default(**options: Any) -> dict[str, Any]:
    return {
        "ENGINE": "e",
        "NAME": "d",
        "USER": "u",
        "PASSWORD": "p",
        "HOST": "pooler.example",
        "PORT": "6432",
        "OPTIONS": {"prepare_threshold": 3, "application_name": "paymentsite-web", **options},
    }


def behind(role: str, **variables: str) -> dict[str, Any]:
    given = default(pool=POOL, options="-c search_path=x -c statement_timeout=5000")
    return behind_pooler(given, Environment(variables), role=role)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_without_a_pooler_nothing_changes(role: str) -> None:
    given = default()
    assert behind_pooler(given, Environment({"DATABASE_DIRECT_URL": DIRECT}), role=role) is given


def test_the_web_behind_a_transaction_pooler_prepares_nothing_and_sets_nothing_with_the_connection() -> None:
    found = behind("web", DATABASE_POOLER="transaction", DATABASE_DIRECT_URL=DIRECT)
    assert found["HOST"] == "pooler.example"
    assert found["OPTIONS"]["prepare_threshold"] is None
    assert found["OPTIONS"]["options"] == "-c search_path=x"
    assert found["DISABLE_SERVER_SIDE_CURSORS"] is True


def test_a_pooler_that_knows_prepared_statements_keeps_them() -> None:
    found = behind("web", DATABASE_POOLER="transaction-prepared", DATABASE_DIRECT_URL=DIRECT)
    assert found["OPTIONS"]["prepare_threshold"] == 3


def test_nothing_is_left_of_options_that_held_the_limit_alone() -> None:
    given = default(options="-c statement_timeout=5000")
    env = Environment({"DATABASE_POOLER": "transaction", "DATABASE_DIRECT_URL": DIRECT})
    assert "options" not in behind_pooler(given, env, role="web")["OPTIONS"]


@pytest.mark.parametrize("role", ["worker", "beat", "relay", "command"])
def test_whoever_keeps_a_session_goes_to_postgresql_itself(role: str) -> None:
    found = behind(role, DATABASE_POOLER="transaction", DATABASE_DIRECT_URL=DIRECT)
    assert (found["HOST"], found["PORT"]) == ("db.example", "5432")
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["prepare_threshold"] == 3


@pytest.mark.parametrize("role", ["web", "relay"])
def test_a_pooler_without_a_way_around_it_is_refused_with_one_line(role: str) -> None:
    with pytest.raises(
        SystemExit, match=r"^DATABASE_DIRECT_URL is not set: with DATABASE_POOLER=transaction"
    ) as stopped:
        behind(role, DATABASE_POOLER="transaction")
    assert "\n" not in str(stopped.value)


def test_an_unknown_pooler_is_refused() -> None:
    with pytest.raises(SystemExit, match="DATABASE_POOLER is 'session'"):
        behind("web", DATABASE_POOLER="session")


def test_there_is_no_replica_unless_one_is_named() -> None:
    assert replica_of(default(), Environment({})) == {}


def test_the_replica_has_a_short_patience_and_refuses_to_be_written_to() -> None:
    env = Environment({"READ_DATABASE_URL": "postgresql://reader:s@replica.example/d2"})
    found = replica_of(default(pool=POOL, options="-c statement_timeout=5000"), env)["replica"]
    assert (found["HOST"], found["NAME"], found["USER"], found["PORT"]) == ("replica.example", "d2", "reader", "")
    assert found["OPTIONS"]["options"] == "-c statement_timeout=5000 -c default_transaction_read_only=on"
    assert found["OPTIONS"]["application_name"] == "paymentsite-web-read"
    assert (found["OPTIONS"]["pool"]["min_size"], found["OPTIONS"]["pool"]["timeout"]) == (1, 1)
    assert found["OPTIONS"]["connect_timeout"] == 1
    assert found["TEST"] == {"MIRROR": "default"}
