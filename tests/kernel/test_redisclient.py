from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import redis
from pytest_django.fixtures import Settings

from kernel.redisclient import Circuit, RedisAway, ask_redis, circuit, redis_client


@pytest.fixture(autouse=True)
def _fresh_circuit() -> Iterator[None]:
    circuit.succeeded()
    yield
    circuit.succeeded()


def test_the_client_is_one_per_process_and_follows_the_setting(settings: Settings) -> None:
    first = redis_client()
    assert redis_client() is first
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert redis_client() is not first


def test_the_client_waits_at_most_a_quarter_of_a_second() -> None:
    options = redis_client().connection_pool.connection_kwargs
    assert options["socket_timeout"] <= 0.25
    assert options["socket_connect_timeout"] <= 0.25


def test_an_answer_comes_back() -> None:
    assert ask_redis(lambda client: client.ping()) is True


def test_a_lost_redis_is_said_once_and_then_not_asked(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    asked: list[int] = []

    def question(client: redis.Redis) -> object:
        asked.append(1)
        return client.ping()

    for _ in range(3):
        with pytest.raises(RedisAway):
            ask_redis(question)
    assert len(asked) == 1


def test_an_error_that_redis_itself_answers_is_no_silence() -> None:
    with pytest.raises(redis.ResponseError):
        ask_redis(lambda client: client.execute_command("NO-SUCH-COMMAND"))
    assert circuit.lets_through()


def test_after_its_rest_one_caller_tries_and_the_others_are_turned_away() -> None:
    resting = Circuit(rest_seconds=0.05)
    resting.failed()
    assert not resting.lets_through()
    time.sleep(0.06)
    let_through: list[bool] = []
    threads = [threading.Thread(target=lambda: let_through.append(resting.lets_through())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_through) == 1
    resting.succeeded()
    assert resting.lets_through()
