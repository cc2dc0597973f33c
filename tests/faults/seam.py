"""The fault seam: kills this process with SIGKILL at a chosen exchange with PostgreSQL or Kafka.

No code of the product knows of it. It is put around psycopg's one wait for the server, and around the relay's Kafka
producer, inside a process that a test has made for the purpose; a process without it runs the product as it is.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from enum import StrEnum
from typing import Any

import psycopg

from kernel.outbox import kafka

# Beside the thread that was called, those that it starts for its work. What looks after the pool or samples figures at
# its own times is none of it.
OWN_THREADS = ("MainThread", "ingest-")
# A rest between two batches, and a change of psycopg's own that sends nothing.
NOT_COUNTED = ("notifies", "set_autocommit")


class Moment(StrEnum):
    """When the process dies, measured by one exchange with a server."""

    BEFORE = "before"
    # The request is on its way and the server may be at work on it: nobody will hear the answer.
    DURING = "during"
    AFTER = "after"


class Seam:
    """Counts the exchanges of this process, and ends it at the one that was chosen."""

    def __init__(self, kill_at: int | None, moment: Moment, *, say: Callable[[str], None]) -> None:
        self.kill_at = kill_at
        self.moment = moment
        self.passed = 0
        self._say = say
        self._lock = threading.Lock()

    def arm(self) -> None:
        """From here on every exchange counts, in whatever thread it happens."""
        self._watch_postgres()
        self._watch_kafka()

    def _pass(self, label: str, exchange: Callable[[], Any], begin: Callable[[], Any]) -> Any:
        with self._lock:
            self.passed += 1
            is_chosen = self.passed == self.kill_at
        if is_chosen and self.moment is Moment.BEFORE:
            self._die(label)
        if is_chosen and self.moment is Moment.DURING:
            begin()
            self._die(label)
        answer = exchange()
        if is_chosen:
            self._die(label)
        return answer

    def _die(self, label: str) -> None:
        self._say(label)
        os.kill(os.getpid(), signal.SIGKILL)
        # Signals to oneself arrive at once; nothing of ours must run should this one not.
        signal.pause()

    def _watch_postgres(self) -> None:
        wait = psycopg.Connection.wait

        def watched(
            session: psycopg.Connection, generator: Generator[Any, Any, Any], *args: Any, **options: Any
        ) -> Any:
            label = _label_of(generator)
            if label.startswith(NOT_COUNTED) or not threading.current_thread().name.startswith(OWN_THREADS):
                return wait(session, generator, *args, **options)

            def begin() -> None:
                # Runs the exchange as far as the first wait for the server: all that is to be said has been sent.
                for _ in generator:
                    return

            return self._pass(label, lambda: wait(session, generator, *args, **options), begin)

        psycopg.Connection.wait = watched  # type: ignore[method-assign,assignment]

    def _watch_kafka(self) -> None:
        seam = self
        producer = kafka.Producer

        class Watched(producer):  # type: ignore[misc,valid-type]
            has_more = False

            def produce(self, *args: Any, **options: Any) -> None:
                send = super().produce
                self.has_more = True
                seam._pass("produce", lambda: send(*args, **options), lambda: send(*args, **options))

            def flush(self, seconds: float) -> int:
                flush = super().flush
                if not self.has_more:
                    return int(flush(seconds))
                # Asked again and again until all is confirmed: one exchange for each batch.
                self.has_more = False
                return int(seam._pass("flush", lambda: flush(seconds), lambda: flush(0)))

        kafka.Producer = Watched  # type: ignore[misc]


def _label_of(generator: Generator[Any, Any, Any]) -> str:
    """The statement's first words, or what psycopg does of its own accord, such as a commit."""
    name = getattr(generator, "__name__", type(generator).__name__)
    frame = getattr(generator, "gi_frame", None)
    query = frame.f_locals.get("query") if frame is not None else None
    if query is None:
        return name.strip("_")
    text = query.decode() if isinstance(query, bytes) else str(query)
    return " ".join(text.split())[:60]
