"""Makes a web process ready before it listens: connections open, channels, partitions and references known."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

import psycopg
from django.db import DatabaseError, InterfaceError, connection

from payments.channeldirectory import directory
from payments.deduplication import is_warm, warm_caches
from payments.partitioning import known_months

logger = logging.getLogger(__name__)

POOL_SECONDS = 10.0
AGAIN_SECONDS = 2.0


def prepare(at: datetime) -> bool:
    """Opens the pool's connections and fills the caches; False when the database did not answer."""
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


def prepare_or_retry(at: datetime) -> None:
    """The same; when the database is away the process listens all the same, answers 503, and tries on beside it."""
    if not prepare(at):
        threading.Thread(target=_retry, name="prepare", daemon=True).start()


def _retry() -> None:
    while not is_warm():
        time.sleep(AGAIN_SECONDS)
        prepare(datetime.now(UTC))
