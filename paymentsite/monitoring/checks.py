"""Questions to the outside, each with a limit of time, asked at once and remembered for a moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 1.0


class BoundedCheck(Generic[T]):
    """One question that is asked in a thread of its own and waited for no longer than the limit.

    Only one thread asks at a time, however many callers want to know: a server that hangs is not asked again before
    the first question has ended. An answer, good or bad, is fresh for `fresh_seconds`.
    """

    def __init__(self, name: str, ask: Callable[[], T], *, fresh_seconds: float) -> None:
        self.name = name
        self._ask = ask
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._answered: threading.Event | None = None
        self._answer: T | None = None
        self._answered_at = float("-inf")

    def begin(self) -> None:
        """Asks, unless an answer is fresh or somebody is asking already. Returns at once."""
        with self._lock:
            if self._answered is not None or time.monotonic() - self._answered_at < self._fresh_seconds:
                return
            self._answered = threading.Event()
            threading.Thread(target=self._run, args=(self._answered,), name=f"check-{self.name}", daemon=True).start()

    def answer(self, *, deadline: float) -> T | None:
        """The answer by the deadline (of time.monotonic); None when there is none by then, or when asking failed."""
        with self._lock:
            answered = self._answered
        if answered is not None and not answered.wait(max(0.0, deadline - time.monotonic())):
            return None
        return self._answer

    def forget(self) -> None:
        """Asks anew next time, however fresh the answer is."""
        with self._lock:
            self._answered_at = float("-inf")

    def _run(self, answered: threading.Event) -> None:
        answer: T | None = None
        try:
            answer = self._ask()
        except Exception as error:
            # Whatever went wrong, the answer to "is it well" is no; the cause is for our log, not for the caller.
            logger.warning(
                "A health check failed",
                extra={"action": "check_health", "check": self.name, "cause": type(error).__name__},
            )
        finally:
            with self._lock:
                self._answer, self._answered_at, self._answered = answer, time.monotonic(), None
            answered.set()
