"""Makes a web process ready before it listens: pages imported, connections open, channels and references known."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from django.urls import get_resolver

from kernel.redisclient import RedisAway, ask_redis
from payments.channeldirectory import directory
from payments.deduplication import is_warm, warm_caches
from payments.partitioning import known_months

logger = logging.getLogger(__name__)

POOL_SECONDS = 10.0
AGAIN_SECONDS = 2.0


def prepare(at: datetime) -> bool:
    """Opens the pool's connections and fills the caches; False when the database did not answer."""
    know_addresses()
    try:
        pool = connection.pool  # type: ignore[attr-defined]
        if pool is not None:
            pool.open()
            pool.wait(timeout=POOL_SECONDS)
        directory.find("")
        known_months.refresh()
        warm_caches(at)
    except (DatabaseError, InterfaceError, psycopg.Error) as error:
        extra = {"action": "prepare_web_process", "cause": type(error).__name__}
        logger.warning("Not ready yet: the database did not answer", extra=extra)
        return False
    finally:
        connection.close()
    return True


def know_addresses() -> None:
    """Imports every page and reads every address, which otherwise the first request would wait for; and opens Redis.

    A Redis that is away is no hindrance: the limits are then counted in this process.
    """
    resolver = get_resolver()
    # Fills the resolver's tables, for the sake of which a name is looked up that nobody has.
    resolver.reverse_dict.get("")
    for pattern in resolver.url_patterns:
        getattr(pattern, "url_patterns", None)
    try:
        ask_redis(lambda client: client.ping())
    except RedisAway:
        return


def prepare_or_retry(at: datetime) -> None:
    """The same; when the database is away the process listens all the same, answers 503, and tries on beside it."""
    if not prepare(at):
        threading.Thread(target=_retry, name="prepare", daemon=True).start()


def _retry() -> None:
    while not is_warm():
        time.sleep(AGAIN_SECONDS)
        prepare(datetime.now(UTC))
