"""Rate limits by the generic cell rate algorithm: in Redis for all processes, in memory while Redis is away."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis

from kernel.redisclient import RedisAway, ask_redis, redis_client

KEY_PREFIX = "ratelimit:"
LARGEST_MEMORY = 10_000

# One number is kept for each key: the instant (microseconds) at which everything taken so far has been earned back.
# A request may draw that instant at most one window ahead of now.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window, step = tonumber(ARGV[1]), tonumber(ARGV[2])
local drawn = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + step
if drawn - now > window then
    return {0, 0, drawn - now - window}
end
redis.call('SET', KEYS[1], string.format('%.0f', drawn), 'PX', math.ceil((drawn - now) / 1000) + 1)
return {1, math.floor((window - (drawn - now)) / step + 0.000001), 0}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether one more may pass, how many still could right now, and when it is worth asking again."""

    allowed: bool
    remaining: int
    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` in any burst and `limit` per `window_seconds` on average, for one key.

    While Redis is away each process counts alone, so that all together may let through as many times the limit as
    there are processes: better than refusing everybody or nobody.
    """

    key: str
    limit: int
    window_seconds: int

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_seconds < 1:
            raise ValueError("A rate limit lets at least one through in at least one second.")

    @property
    def window(self) -> int:
        """In microseconds."""
        return self.window_seconds * 1_000_000

    @property
    def step(self) -> float:
        """How long one takes to be earned back, in microseconds."""
        return self.window / self.limit

    def take(self) -> Allowance:
        """Takes one from the allowance, if there is one. Never raises and never waits for a lost Redis."""
        try:
            allowed, remaining, wait = ask_redis(lambda client: _take_in_redis(client, self))
        except (RedisAway, redis.RedisError):
            # A Redis that answers with an error (out of memory, read-only) is of no more use here than none.
            allowed, remaining, wait = _memory.take(self, time.monotonic_ns() // 1000)
        return Allowance(bool(allowed), int(remaining), math.ceil(wait / 1_000_000))


def _take_in_redis(client: redis.Redis, limit: RateLimit) -> Any:
    return _script()(keys=[KEY_PREFIX + limit.key], args=[limit.window, limit.step], client=client)


@lru_cache(maxsize=1)
def _script() -> Any:
    return redis_client().register_script(TAKE)


class _Memory:
    """The same algorithm within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: dict[str, float] = {}

    def take(self, limit: RateLimit, now: int) -> tuple[bool, int, float]:
        with self._lock:
            if len(self._drawn) >= LARGEST_MEMORY:
                self._forget_earned(now)
            drawn = max(self._drawn.get(limit.key, 0), now) + limit.step
            if drawn - now > limit.window:
                return False, 0, drawn - now - limit.window
            self._drawn[limit.key] = drawn
            return True, int((limit.window - (drawn - now)) / limit.step + 0.000001), 0

    def _forget_earned(self, now: int) -> None:
        self._drawn = {key: drawn for key, drawn in self._drawn.items() if drawn > now}
        if len(self._drawn) >= LARGEST_MEMORY:
            # More callers at once than can be remembered: all begin anew, and memory stays bounded.
            self._drawn.clear()


_memory = _Memory()
