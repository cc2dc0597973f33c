from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from pytest_django.fixtures import Settings

from kernel import ratelimits
from kernel.ratelimits import RateLimit, _Memory
from kernel.redisclient import circuit, redis_client


@pytest.fixture(autouse=True)
def _fresh_circuit() -> Iterator[None]:
    circuit.succeeded()
    yield
    circuit.succeeded()


@pytest.fixture
def key() -> str:
    return f"test:{uuid4()}"


@pytest.fixture
def _silent_redis(settings: Settings) -> Iterator[None]:
    """A listener that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        yield


def test_a_burst_up_to_the_limit_passes_and_the_next_one_waits(key: str) -> None:
    taken = [RateLimit(key, 5, 60).take() for _ in range(7)]
    assert [allowance.allowed for allowance in taken] == [True] * 5 + [False] * 2
    assert [allowance.remaining for allowance in taken] == [4, 3, 2, 1, 0, 0, 0]
    assert [allowance.retry_after_seconds for allowance in taken] == [0] * 5 + [12, 12]


def test_one_is_earned_back_after_its_share_of_the_window(key: str) -> None:
    limit = RateLimit(key, 10, 1)
    assert sum(limit.take().allowed for _ in range(12)) == 10
    time.sleep(0.11)
    assert limit.take().allowed is True
    assert limit.take().allowed is False


def test_keys_do_not_share_an_allowance(key: str) -> None:
    assert RateLimit(key + "a", 1, 60).take().allowed
    assert RateLimit(key + "b", 1, 60).take().allowed
    assert not RateLimit(key + "a", 1, 60).take().allowed


def test_the_key_expires_with_the_allowance(key: str) -> None:
    RateLimit(key, 10, 1).take()
    assert 0 < redis_client().pttl(f"ratelimit:{key}") <= 102


def test_threads_together_get_exactly_the_limit(key: str) -> None:
    allowed: list[bool] = []

    def take() -> None:
        allowed.extend([RateLimit(key, 40, 3600).take().allowed for _ in range(20)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed)) == (160, 40)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that this process sends, in their order; the server's own count has other workers' in it."""
    commands: list[str] = []
    really = redis.Redis.execute_command

    def execute_command(client: redis.Redis, *command: Any, **options: Any) -> Any:
        commands.append(str(command[0]))
        return really(client, *command, **options)

    monkeypatch.setattr(redis.Redis, "execute_command", execute_command)
    return commands


def test_one_request_is_one_round_trip(key: str, asked: list[str]) -> None:
    limit = RateLimit(key, 10, 60)
    limit.take()
    asked.clear()
    for _ in range(5):
        limit.take()
    assert asked == ["EVALSHA"] * 5


def test_a_script_that_redis_has_forgotten_is_sent_again(key: str) -> None:
    RateLimit(key, 2, 60).take()
    redis_client().script_flush()
    assert RateLimit(key, 2, 60).take().allowed
    assert not RateLimit(key, 2, 60).take().allowed


@pytest.mark.usefixtures("_silent_redis")
def test_a_silent_redis_delays_one_request_shortly_and_the_others_not_at_all(key: str) -> None:
    started = time.monotonic()
    first = RateLimit(key, 3, 60).take()
    assert time.monotonic() - started < 0.6
    started = time.monotonic()
    rest = [RateLimit(key, 3, 60).take() for _ in range(100)]
    assert time.monotonic() - started < 0.1
    assert first.allowed
    assert [allowance.allowed for allowance in rest] == [True, True] + [False] * 98
    assert rest[-1].retry_after_seconds == 20


def test_a_redis_that_refuses_connections_leaves_the_limit_in_force(settings: Settings, key: str) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [RateLimit(key, 2, 60).take().allowed for _ in range(4)] == [True, True, False, False]


def test_redis_is_asked_again_after_its_rest(settings: Settings, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    working = settings.REDIS_URL
    monkeypatch.setattr(circuit, "rest_seconds", 0.05)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    RateLimit(key, 5, 60).take()
    settings.REDIS_URL = working
    assert not redis_client().exists(f"ratelimit:{key}")
    time.sleep(0.06)
    assert RateLimit(key, 5, 60).take().remaining == 4
    assert redis_client().exists(f"ratelimit:{key}")


def test_the_memory_of_one_process_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimits, "LARGEST_MEMORY", 100)
    memory = _Memory()
    for number in range(1_000):
        memory.take(RateLimit(f"k{number}", 1, 60), now=1_000_000)
    assert len(memory._drawn) <= 100


def test_the_memory_earns_back_like_redis() -> None:
    memory, limit = _Memory(), RateLimit("k", 2, 10)
    assert [memory.take(limit, 0)[:2], memory.take(limit, 0)[:2]] == [(True, 1), (True, 0)]
    assert memory.take(limit, 4_000_000) == (False, 0, 1_000_000)
    assert memory.take(limit, 5_000_000)[0] is True


@pytest.mark.parametrize(("limit", "window"), [(0, 60), (-1, 60), (5, 0)])
def test_a_limit_that_lets_nobody_through_is_refused(limit: int, window: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        RateLimit("k", limit, window)


def test_a_generous_limit_asks_redis_once_for_a_block(key: str, asked: list[str]) -> None:
    limit = RateLimit(key, 6000, 3600)
    assert limit.block == 10
    remaining = [limit.take().remaining for _ in range(30)]
    assert asked.count("EVALSHA") == 3
    assert remaining == list(range(5999, 5969, -1))


def test_threads_that_draw_blocks_together_get_exactly_the_limit(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimits, "BLOCK_SECONDS", 60.0)
    allowed: list[bool] = []

    def take() -> None:
        allowed.extend([RateLimit(key, 1800, 86_400).take().allowed for _ in range(500)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed)) == (2000, 1800)


def test_a_block_that_is_a_second_old_is_not_used_any_more(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = RateLimit(key, 6000, 3600)
    limit.take()
    monkeypatch.setattr(ratelimits, "BLOCK_SECONDS", 0.0)
    assert ratelimits._blocks.take_one(key) == 5998
    later = time.monotonic() + 2
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert ratelimits._blocks.take_one(key) is None
