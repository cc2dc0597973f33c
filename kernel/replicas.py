"""Reads that may be a moment old go to the replica, when there is one. Whatever decides something asks the primary.

A read says so by `on_replica`; nothing goes there by itself. While the replica is away the primary answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from prometheus_client import Counter

logger = logging.getLogger(__name__)

T = TypeVar("T")

REPLICA = "replica"
REST_SECONDS = 5.0
REPLICA_READS = Counter(
    "paymentsite_replica_reads_total",
    "Reads meant for the replica, by who answered: replica, primary (the replica was away), or both (it did not know)",
    ["answered_by"],
)
_alias: ContextVar[str] = ContextVar("read_alias", default=DEFAULT_DB_ALIAS)


class WriteOnReplica(RuntimeError):
    """Something was to be written inside a read: a defect of the caller."""


class ReadRouter:
    """Django's router: inside `on_replica` reads go where it says, everything else to the primary."""

    def db_for_read(self, model: type[Any], **hints: Any) -> str:
        return _alias.get()

    def db_for_write(self, model: type[Any], **hints: Any) -> str:
        if _alias.get() != DEFAULT_DB_ALIAS:
            raise WriteOnReplica(f"{model.__name__} is not written inside a read.")
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


class _Rest:
    """After a failure the replica is left alone for some seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def begin(self) -> None:
        with self._lock:
            self._until = time.monotonic() + REST_SECONDS

    def end(self) -> None:
        self._until = 0.0


rest = _Rest()


def read_alias() -> str:
    """The connection for reads at this point, for those that use a cursor of their own."""
    return _alias.get()


def on_replica(read: Callable[[], T], *, is_enough: Callable[[T], bool] = lambda found: True) -> T:
    """What `read` gives: by the replica when there is one that answers, else by the primary.

    When the replica's answer is not enough, the primary is asked: a payment of this second may not have arrived there.
    `read` must have everything read when it returns, and may be called twice. Errors of the primary pass on.
    """
    if REPLICA not in connections.settings:
        return read()
    if not rest.is_over():
        REPLICA_READS.labels("primary").inc()
        return read()
    try:
        with _reading_from(REPLICA):
            found = read()
    except (OperationalError, InterfaceError) as error:
        rest.begin()
        _drop_lost_connections()
        extra = {"action": "read_replica", "cause": type(error.__cause__ or error).__name__}
        logger.warning("The replica did not answer; the primary does", extra=extra)
        REPLICA_READS.labels("primary").inc()
        return read()
    if is_enough(found):
        REPLICA_READS.labels("replica").inc()
        return found
    REPLICA_READS.labels("both").inc()
    return read()


def _drop_lost_connections() -> None:
    """The pool's other connections are dead too, and each would cost a read its try after the replica's return."""
    replica = connections[REPLICA]
    replica.close()
    pool = getattr(replica, "pool", None)
    if pool is not None:
        # Beside the request, which has waited long enough for the replica.
        threading.Thread(target=pool.check, name="replica-check", daemon=True).start()


@contextmanager
def _reading_from(alias: str) -> Iterator[None]:
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)
