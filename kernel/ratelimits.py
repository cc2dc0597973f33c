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

# Of a generous limit a process takes a block at a time, a six-hundredth of the window's worth, and asks Redis again
# when it is used up or a second old. What is in a block has been drawn already, so that all processes together stay
# within the limit; near its end they may be refused a block's worth early. Limits below 1,200 a window are exact.
BLOCKS_PER_WINDOW = 600
BLOCK_SECONDS = 1.0

# One number is kept for each key: the instant (microseconds) at which everything taken so far has been earned back.
# A request may draw that instant at most one window ahead of now.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window, step, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local before = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if before + step * count - now > window then
    count = 1
end
local drawn = before + step * count
if drawn - now > window then
    return {0, 0, drawn - now - window}
end
redis.call('SET', KEYS[1], string.format('%.0f', drawn), 'PX', math.ceil((drawn - now) / 1000) + 1)
return {count, math.floor((window - (drawn - now)) / step + 0.000001), 0}
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

    @property
    def block(self) -> int:
        """How many a process draws from Redis at once."""
        return max(1, self.limit // BLOCKS_PER_WINDOW)

    def take(self) -> Allowance:
        """Takes one from the allowance, if there is one. Never raises and never waits for a lost Redis."""
        if self.block > 1 and (remaining := _blocks.take_one(self.key)) is not None:
            return Allowance(True, remaining, 0)
        try:
            allowed, remaining, wait = ask_redis(lambda client: _take_in_redis(client, self))
            if allowed > 1:
                _blocks.add(self.key, allowed - 1, remaining)
                remaining += allowed - 1
        except (RedisAway, redis.RedisError):
            # A Redis that answers with an error (out of memory, read-only) is of no more use here than none.
            allowed, remaining, wait = _memory.take(self, time.monotonic_ns() // 1000)
        return Allowance(bool(allowed), int(remaining), math.ceil(wait / 1_000_000))


def _take_in_redis(client: redis.Redis, limit: RateLimit) -> Any:
    return _script()(keys=[KEY_PREFIX + limit.key], args=[limit.window, limit.step, limit.block], client=client)


@lru_cache(maxsize=1)
def _script() -> Any:
    return redis_client().register_script(TAKE)


class _Blocks:
    """What this process has drawn from Redis and not used yet, by key: how many, what Redis had left, until when."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, int, float]] = {}

    def take_one(self, key: str) -> int | None:
        """How many are left after taking one; None when there is none to take."""
        with self._lock:
            held, shared, good_until = self._held.get(key, (0, 0, 0.0))
            if held < 1 or time.monotonic() > good_until:
                self._held.pop(key, None)
                return None
            self._held[key] = (held - 1, shared, good_until)
            return held - 1 + shared

    def add(self, key: str, count: int, shared: int) -> None:
        with self._lock:
            if len(self._held) >= LARGEST_MEMORY:
                self._held.clear()
            # Another thread may have drawn a block at the same moment: both are ours to use.
            held, _, _ = self._held.get(key, (0, 0, 0.0))
            self._held[key] = (held + count, shared, time.monotonic() + BLOCK_SECONDS)


_blocks = _Blocks()


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
