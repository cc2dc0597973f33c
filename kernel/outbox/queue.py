"""The relay's own session of PostgreSQL: the lock of the one active relay, the queue, and the wake-up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import psycopg
from django.db import connection
from psycopg.rows import class_row

CHANNEL = "outbox_event"
# Spells "outbox": one lock in each database, whoever of our processes asks for it.
RELAY_LOCK = 0x6F7574626F78
SQL_FOLDER = Path(__file__).parent / "sql"
SESSION_SETTINGS = """
    set enable_seqscan = off;
    set enable_hashjoin = off;
    set enable_mergejoin = off;
    set statement_timeout = '30s';
    set tcp_keepalives_idle = 10;
    set tcp_keepalives_interval = 5;
    set tcp_keepalives_count = 3;
"""


def _read(name: str) -> bytes:
    # As bytes, which psycopg takes for SQL that is ours.
    return (SQL_FOLDER / name).read_bytes()


CLAIM = _read("claim.sql")
SETTLE_DELIVERED = _read("settle_delivered.sql")
SETTLE_REFUSED = _read("settle_refused.sql")


@dataclass(slots=True)
class QueuedEvent:
    """One event of the queue, with what its message needs."""

    position: int
    event_id: UUID
    event_type: str
    source: str
    subject: str
    topic: str
    key: str
    body: str
    occurred_at: datetime
    attempts: int
    queued_at: datetime
    # Delivered before, and queued again by a person.
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that the broker or its client will not take as it is: why, and when it may be tried again."""

    position: int
    error: str
    next_attempt_at: datetime


class Queue:
    """The queue as the relay sees it. Every method may raise psycopg.OperationalError when the session is lost,
    and with it the lock.
    """

    def __init__(self, session: psycopg.Connection) -> None:
        self._session = session

    def lead(self) -> bool:
        """Tries to become the one active relay; the lock lasts until the session ends. Hears wake-ups from here on."""
        row = self._session.execute("select pg_try_advisory_lock(%s)", [RELAY_LOCK]).fetchone()
        if not (row and row[0]):
            return False
        # Before the first look at the queue, so that no event can slip in between unheard.
        self._session.execute(f"listen {CHANNEL}")
        return True

    def claim(self, *, limit: int, at: datetime) -> list[QueuedEvent]:
        """The next events that are due. No row is locked: whoever holds the relay's lock is alone here."""
        with self._session.cursor(row_factory=class_row(QueuedEvent)) as cursor:
            return cursor.execute(CLAIM, {"limit": limit, "at": at}).fetchall()

    def settle(self, delivered: Sequence[QueuedEvent], refused: Sequence[RefusedEvent], *, at: datetime) -> None:
        """Records what became of a batch, in one transaction."""
        with self._session.transaction():
            for topic, positions in _by_topic(delivered).items():
                self._session.execute(SETTLE_DELIVERED, {"positions": positions, "topic": topic, "at": at})
            if refused:
                values = {
                    "positions": [event.position for event in refused],
                    "errors": [event.error for event in refused],
                    "next_attempts": [event.next_attempt_at for event in refused],
                }
                self._session.execute(SETTLE_REFUSED, values)

    def wait(self, seconds: float) -> bool:
        """Waits for a wake-up, at most this long. True when one came."""
        return any(True for _ in self._session.notifies(timeout=seconds, stop_after=1))


def _by_topic(events: Sequence[QueuedEvent]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = defaultdict(list)
    for event in events:
        positions[event.topic].append(event.position)
    return positions


def is_relay_active() -> bool:
    """Whether some relay, on whatever machine, holds the lock of the one active relay."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select exists (
                select from pg_locks
                where locktype = 'advisory' and granted and objsubid = 1
                  and database = (select oid from pg_database where datname = current_database())
                  and (classid::bigint << 32) | objid::bigint = %s::bigint
            )
            """,
            [RELAY_LOCK],
        )
        return bool(cursor.fetchone()[0])


@contextmanager
def open_queue() -> Generator[Queue]:
    """Opens the relay's session beside Django's connections, because it must outlive every request and transaction."""
    parameters = connection.get_connection_params()
    for not_for_psycopg in ("cursor_factory", "context"):
        parameters.pop(not_for_psycopg, None)
    with psycopg.connect(**parameters, autocommit=True) as session:
        session.execute(SESSION_SETTINGS)
        try:
            yield Queue(session)
        finally:
            # The server notices a closed session a moment later, and until then the next relay would stand by.
            with suppress(psycopg.OperationalError):
                session.execute("select pg_advisory_unlock_all()")
