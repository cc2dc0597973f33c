from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentsite.environment import Environment, SettingInvalid

Read = Callable[[Environment], Any]


def env(**variables: str) -> Environment:
    return Environment(variables)


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("x", lambda e: e.text("V", "d"), "x"),
        ("  x ", lambda e: e.text("V", "d"), "x"),
        ("Production", lambda e: e.choice("V", "a", ("production", "test")), "production"),
        ("YES", lambda e: e.boolean("V", default=False), True),
        ("off", lambda e: e.boolean("V", default=True), False),
        ("+7", lambda e: e.integer("V", 1), 7),
        ("-3", lambda e: e.integer("V", 1, minimum=-5), -3),
        ("Europe/Prague", lambda e: e.time_zone("V", "UTC").key, "Europe/Prague"),
        ("USD", lambda e: e.currency("V", "CAD"), "USD"),
        ("staged", lambda e: e.table_name("V", "t"), (None, "staged")),
        ("etl.staged_2", lambda e: e.table_name("V", "t"), ("etl", "staged_2")),
        ("k" * 43 + "=, " + "_" * 43 + "=", lambda e: e.encryption_keys("V"), ["k" * 43 + "=", "_" * 43 + "="]),
        ("a:1, [::1]:2", lambda e: e.addresses("V"), "a:1,[::1]:2"),
        ("https://cards.example/v1/", lambda e: e.web_address("V", https_only=True), "https://cards.example/v1"),
        ("http://[::1]:8080", lambda e: e.web_address("V", https_only=False), "http://[::1]:8080"),
    ],
)
def test_a_good_value_is_read(value: str, read: Read, expected: object) -> None:
    assert read(env(V=value)) == expected


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_value_counts_as_unset(value: str) -> None:
    empty = env(V=value)
    assert not empty.has("V")
    assert empty.text("V", "d") == "d"
    assert empty.optional_text("V") is None
    assert empty.integer("V", 5) == 5
    assert empty.boolean("V", default=True) is True
    assert empty.addresses("V") is None
    assert empty.encryption_keys("V") is None
    assert empty.database_url("V") is None
    assert empty.web_address("V", https_only=True) is None
    assert empty.time_zone("V", "America/Vancouver").key == "America/Vancouver"
    assert empty.folder("V", Path("/d")) == Path("/d")


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("prod", lambda e: e.choice("V", "a", ("production", "test")), "one of production, test"),
        ("maybe", lambda e: e.boolean("V", default=True), "true or false"),
        ("0", lambda e: e.integer("V", 1, minimum=1, maximum=9), "a whole number from 1 to 9"),
        ("10", lambda e: e.integer("V", 1, minimum=1, maximum=9), "a whole number from 1 to 9"),
        ("1.5", lambda e: e.integer("V", 1), "a whole number"),
        ("1_000", lambda e: e.integer("V", 1), "a whole number"),
        ("٣", lambda e: e.integer("V", 1), "a whole number"),
        ("9" * 5000, lambda e: e.integer("V", 1), "a whole number"),
        ("Vancouver", lambda e: e.time_zone("V", "UTC"), "time zone"),
        ("../etc/passwd", lambda e: e.time_zone("V", "UTC"), "time zone"),
        ("cad", lambda e: e.currency("V", "CAD"), "ISO 4217"),
        ("staged; drop table x", lambda e: e.table_name("V", "t"), "schema.table"),
        ('"Staged"', lambda e: e.table_name("V", "t"), "schema.table"),
        ("a.b.c", lambda e: e.table_name("V", "t"), "schema.table"),
        ("short", lambda e: e.encryption_keys("V"), "URL-safe base64"),
        ("k" * 43 + "=,", lambda e: e.encryption_keys("V"), "URL-safe base64"),
        ("broker", lambda e: e.addresses("V"), "host:port"),
        ("a:1,,b:2", lambda e: e.addresses("V"), "host:port"),
        ("http://cards.example", lambda e: e.web_address("V", https_only=True), "https://host"),
        ("cards.example", lambda e: e.web_address("V", https_only=False), "http://host"),
        ("https://user:word@cards.example", lambda e: e.web_address("V", https_only=True), "no user"),
        ("https://cards.example/?a=1", lambda e: e.web_address("V", https_only=True), "no user, query"),
        ("https://cards.example:port", lambda e: e.web_address("V", https_only=True), "https://host"),
        ("https://:443", lambda e: e.web_address("V", https_only=True), "https://host"),
    ],
)
def test_a_wrong_value_ends_the_start_with_its_name_and_what_it_should_be(
    value: str, read: Read, expected: str
) -> None:
    with pytest.raises(SettingInvalid) as refusal:
        read(env(V=value))
    assert refusal.value.name == "V"
    message = str(refusal.value)
    assert message.startswith("V is ")
    assert expected in message
    assert "\n" not in message


@given(st.text())
def test_no_text_makes_a_reader_fail_in_another_way(value: str) -> None:
    readers: list[Read] = [
        lambda e: e.integer("V", 1),
        lambda e: e.boolean("V", default=True),
        lambda e: e.addresses("V"),
        lambda e: e.table_name("V", "t"),
        lambda e: e.time_zone("V", "UTC"),
        lambda e: e.database_url("V"),
        lambda e: e.web_address("V", https_only=False),
    ]
    for read in readers:
        try:
            read(env(V=value))
        except SettingInvalid as refusal:
            message = str(refusal)
            if not message.startswith("V is "):
                raise AssertionError(message) from refusal


def test_a_database_url_becomes_the_settings_of_a_connection() -> None:
    url = "postgresql://us%40er:p%2Fw@db.example:6432/pay%20ments?sslmode=require&application_name=x"
    assert env(DATABASE_URL=url).database_url("DATABASE_URL") == {
        "NAME": "pay ments",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "db.example",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require", "application_name": "x"},
    }


def test_a_database_url_may_name_a_folder_of_sockets() -> None:
    found = env(U="postgresql:///payments?host=/run/pg").database_url("U")
    assert found is not None
    assert (found["HOST"], found["PORT"], found["OPTIONS"]) == ("/run/pg", "", {})


@pytest.mark.parametrize(
    "url",
    ["mysql://u:geheim@h/d", "postgresql://u:geheim@h", "postgresql://u:geheim@h:x/d", "postgresql://[u:geheim/d"],
)
def test_a_wrong_database_url_is_refused_and_its_password_not_shown(url: str) -> None:
    with pytest.raises(SettingInvalid, match="DATABASE_URL is a value that is not shown") as refusal:
        env(DATABASE_URL=url).database_url("DATABASE_URL")
    assert "geheim" not in str(refusal.value)


def test_the_process_environment_is_read_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTSITE_TEST_VARIABLE", "here")
    assert Environment().text("PAYMENTSITE_TEST_VARIABLE", "d") == "here"
    assert Environment({}).text("PAYMENTSITE_TEST_VARIABLE", "d") == "d"
