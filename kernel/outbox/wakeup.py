"""Wakes the relay after a commit. It is a courtesy: the relay also looks by itself every second."""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, connection, transaction

from kernel.outbox.queue import CHANNEL

logger = logging.getLogger(__name__)

# One NOTIFY in this time from each process. Whatever is committed meanwhile is found by the relay's second look.
THROTTLE_SECONDS = 0.02


class _Throttle:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opens_at = 0.0

    def passes(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._opens_at:
                return False
            self._opens_at = now + THROTTLE_SECONDS
            return True


_throttle = _Throttle()


def wake_relay() -> None:
    """Call after the commit of new events; never raises. Inside a transaction it waits for the commit by itself.

    NOTIFY inside the recording transaction would make all commits queue for PostgreSQL's one notification lock.
    """
    if connection.in_atomic_block:
        transaction.on_commit(_notify)
    else:
        _notify()


def _notify() -> None:
    if not _throttle.passes():
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("select pg_notify(%s, '')", [CHANNEL])
    except Error as error:
        logger.warning("The relay could not be woken", extra={"action": "relay.wake", "cause": str(error)})
