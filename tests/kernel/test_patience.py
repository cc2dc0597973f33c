"""Patience with PostgreSQL: given up in time, asked by one alone while it is silent, asked by all once it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.utils import OperationalError

from kernel import patience as module
from kernel.patience import PatientConnection, ServerSilent, Silence, patience, patient_below, seconds_left, silence_of
from kernel.postgresql import base

LONG = 30.0


@pytest.fixture
def session(db: None) -> Iterator[PatientConnection]:
    settings = connection.settings_dict
    where = {"dbname": settings["NAME"], "user": settings["USER"], "host": settings["HOST"]}
    # The server's end of a session that was given up goes on for so long.
    where["options"] = "-c statement_timeout=2000"
    with PatientConnection.connect(**where, autocommit=True) as opened:
        yield opened


def test_a_statement_that_takes_too_long_is_given_up_and_its_connection_with_it(session: PatientConnection) -> None:
    session.silence = Silence(rest_seconds=LONG)

    with patience(0.2), pytest.raises(ServerSilent):
        session.execute("select pg_sleep(30)")

    assert session.closed
    with pytest.raises(ServerSilent):
        session.silence.check()
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")


def test_without_a_limit_of_the_thread_the_connection_has_its_own(session: PatientConnection) -> None:
    session.longest_seconds = 0.2

    with pytest.raises(ServerSilent):
        session.execute("select pg_sleep(30)")


def test_statements_of_one_request_share_its_patience(session: PatientConnection) -> None:
    with patience(0.6):
        session.execute("select pg_sleep(0.4)")
        with pytest.raises(ServerSilent):
            session.execute("select pg_sleep(0.4)")


def test_an_answer_in_time_is_an_answer(session: PatientConnection) -> None:
    with patience(LONG):
        assert session.execute("select 42").fetchone() == (42,)


def test_patience_ends_with_its_block_and_belongs_to_its_thread() -> None:
    elsewhere: list[float | None] = []
    with patience(LONG):
        thread = threading.Thread(target=lambda: elsewhere.append(seconds_left()))
        thread.start()
        thread.join()
        assert 0 < (seconds_left() or 0) <= LONG

    assert elsewhere == [None]
    assert seconds_left() is None


def test_after_a_silence_one_caller_tries_and_the_others_do_not_wait() -> None:
    silence = Silence(rest_seconds=LONG)
    silence.noticed(waiting_since=time.monotonic())
    with pytest.raises(ServerSilent):
        silence.check()

    silence._next_try_at = time.monotonic()
    silence.check()
    with pytest.raises(ServerSilent):
        silence.check()


def test_any_answer_ends_the_silence() -> None:
    silence = Silence(rest_seconds=LONG)
    silence.noticed(waiting_since=time.monotonic())

    silence.answered()

    silence.check()
    silence.check()


def test_who_waits_in_vain_beside_others_that_are_answered_says_nothing_of_the_server() -> None:
    silence = Silence(rest_seconds=LONG)
    since = time.monotonic()
    silence.answered()

    silence.noticed(waiting_since=since)

    silence.check()


def test_only_requests_below_the_prefix_are_limited() -> None:
    seen: dict[str, float | None] = {}

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen[environ["PATH_INFO"]] = seconds_left()
        return []

    patient = patient_below("/hook", application, seconds=LONG)
    for path in ("/hook/a", "/page"):
        patient({"PATH_INFO": path}, lambda *_: None)

    assert seen["/page"] is None
    assert 0 < (seen["/hook/a"] or 0) <= LONG
    assert seconds_left() is None


@pytest.fixture
def wrapper(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[base.DatabaseWrapper]:
    monkeypatch.setattr(module, "_silences", {name: Silence(rest_seconds=LONG) for name in ("default", "replica")})
    opened = base.DatabaseWrapper(connection.settings_dict, "default")
    yield opened
    opened.close()


def test_no_connection_is_asked_for_while_the_server_is_silent_or_the_time_is_over(
    wrapper: base.DatabaseWrapper,
) -> None:
    with patience(0), pytest.raises(OperationalError):
        wrapper.ensure_connection()

    silence_of("default").noticed(waiting_since=time.monotonic())
    with pytest.raises(OperationalError):
        wrapper.ensure_connection()

    silence_of("default").answered()
    wrapper.ensure_connection()
    assert wrapper.is_usable()


def test_the_silence_of_one_server_is_not_that_of_another(wrapper: base.DatabaseWrapper) -> None:
    silence_of("replica").noticed(waiting_since=time.monotonic())

    wrapper.ensure_connection()
    assert wrapper.is_usable()
