"""The pool of database connections, as the process that owns it sees it."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connection
from prometheus_client import Gauge

SAMPLE_SECONDS = 2.0

# Each is the sum over the processes that live: with several web processes the pools add up, and so do their limits.
CONNECTIONS = Gauge(
    "paymentsite_db_pool_connections",
    "Connections of the web processes' pools: max (allowed), open (now), available (open and idle)",
    ["state"],
    multiprocess_mode="livesum",
)
WAITING = Gauge(
    "paymentsite_db_pool_requests_waiting", "Requests that wait for a connection", multiprocess_mode="livesum"
)
TIMED_OUT = Gauge(
    "paymentsite_db_pool_requests_timed_out",
    "Requests that got no connection in time since their process began",
    multiprocess_mode="livesum",
)


def sample_pool() -> bool:
    """Writes the pool's figures to the gauges; False when this process has no pool."""
    pool = getattr(connection, "pool", None)
    if pool is None:
        return False
    figures = pool.get_stats()
    CONNECTIONS.labels("max").set(figures["pool_max"])
    CONNECTIONS.labels("open").set(figures["pool_size"])
    CONNECTIONS.labels("available").set(figures["pool_available"])
    WAITING.set(figures["requests_waiting"])
    TIMED_OUT.set(figures.get("requests_errors", 0))
    return True


def replace_lost_connections(known_lost: int) -> int:
    """Looks at every idle connection when more were lost than known; gives how many are lost by now.

    After PostgreSQL was away, all that the pool holds are dead, and each would cost the request that gets it an error.
    The first such error tells us, and the rest are replaced at once.
    """
    pool = getattr(connection, "pool", None)
    if pool is None or _lost(pool) <= known_lost:
        return known_lost
    pool.check()
    return _lost(pool)


def _lost(pool: Any) -> int:
    """Connections that requests gave back broken, and those that the pool itself found broken."""
    figures = pool.get_stats()
    return int(figures.get("returns_bad", 0) + figures.get("connections_lost", 0))


def keep_sampling_pool() -> threading.Thread:
    """Samples every two seconds from a thread that ends with the process: others can read the gauges, not the pool."""
    thread = threading.Thread(target=_sample_for_ever, name="pool-sampler", daemon=True)
    thread.start()
    return thread


def _sample_for_ever() -> None:
    known_lost = 0
    while sample_pool():
        known_lost = replace_lost_connections(known_lost)
        time.sleep(SAMPLE_SECONDS)
