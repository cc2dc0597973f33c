"""One Redis client per process that answers quickly or not at all, so that a lost Redis never holds a request."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from kernel.errors import Unavailable

logger = logging.getLogger(__name__)

R = TypeVar("R")

SOCKET_TIMEOUT_SECONDS = 0.2
REST_SECONDS = 5.0


class RedisAway(Unavailable):
    """Redis did not answer, or did not a moment ago."""

    code = "redis-away"


class Circuit:
    """After a failure nobody asks for some seconds; then one caller tries, and the others still do not wait."""

    def __init__(self, rest_seconds: float = REST_SECONDS) -> None:
        self.rest_seconds = rest_seconds
        self._lock = threading.Lock()
        self._closed_again_at = 0.0

    def lets_through(self) -> bool:
        if not self._closed_again_at:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._closed_again_at:
                return False
            # This caller tries; whoever comes while it waits is turned away.
            self._closed_again_at = now + self.rest_seconds
            return True

    def failed(self) -> None:
        with self._lock:
            self._closed_again_at = time.monotonic() + self.rest_seconds

    def succeeded(self) -> None:
        if self._closed_again_at:
            with self._lock:
                self._closed_again_at = 0.0


circuit = Circuit()


def ask_redis(question: Callable[[redis.Redis], R]) -> R:
    """What the question gives with the client. Raises RedisAway when Redis is silent; errors of its own pass on.

    At worst two socket timeouts (0.4 s) go by, once in five seconds per process.
    """
    if not circuit.lets_through():
        raise RedisAway
    try:
        answer = question(redis_client())
    except (redis.ConnectionError, redis.TimeoutError) as error:
        circuit.failed()
        logger.warning("Redis did not answer", extra={"action": "ask_redis", "cause": type(error).__name__})
        raise RedisAway from error
    except redis.ResponseError:
        circuit.succeeded()
        raise
    circuit.succeeded()
    return answer


def redis_client() -> redis.Redis:
    """The client of this process for REDIS_URL; connections are made when first needed."""
    return _client_of(settings.REDIS_URL)


@lru_cache(maxsize=4)
def _client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        # One more try finds a Redis that was started again behind an old connection; silence is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
