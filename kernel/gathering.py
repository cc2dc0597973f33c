"""Lets threads that wait at the same moment share one piece of work, such as one SQL statement and its commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Ticket(Generic[T, R]):
    """One thread's item on its way: what came of it, or the crew that its thread is to work for."""

    __slots__ = ("crew", "error", "item", "result", "wakes", "was_shared")

    def __init__(self, item: T) -> None:
        self.item = item
        self.result: R | None = None
        self.error: BaseException | None = None
        self.was_shared = False
        self.crew: list[_Ticket[T, R]] | None = None
        # Held until there is something to wake up for. Who leads is woken once more, by itself, which nobody minds.
        self.wakes = threading.Lock()
        self.wakes.acquire()


class Gathering(Generic[T, R]):
    """Work on items of many threads, done by whichever of them comes first, for all that have come by then.

    `work` takes items and gives one result for each, in their order; it is called in one of the waiting threads. While
    it is under way newcomers gather, and the first of them does the next work for all; a newcomer who has waited
    `patience_seconds` does not wait longer but begins beside it. So nobody waits who comes alone, and under load the
    number of calls stays small. At most `at_most` items share a call.

    When a shared call raises one of `apart_on`, every item is worked on alone by its own thread, so that one bad item
    harms no neighbour. Any other error reaches every thread that had an item in the call.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Sequence[R]],
        *,
        patience_seconds: float,
        at_most: int,
        apart_on: tuple[type[Exception], ...],
    ) -> None:
        self._work = work
        self._patience_seconds = patience_seconds
        self._at_most = at_most
        self._apart_on = apart_on
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T, R]] = []
        self._under_way = 0

    def do(self, item: T) -> R:
        """The result for this item. Raises what the work raised for it."""
        ticket: _Ticket[T, R] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            crew = self._crew_of(ticket) if self._under_way == 0 else None
        crew = crew or self._wait(ticket)
        if crew is not None:
            self._lead(crew)
        if ticket.error is None:
            return ticket.result  # type: ignore[return-value]
        if ticket.was_shared and isinstance(ticket.error, self._apart_on):
            return self._work([item])[0]
        raise ticket.error

    def _wait(self, ticket: _Ticket[T, R]) -> list[_Ticket[T, R]] | None:
        """None when somebody has worked on the item; else the crew that this thread is to work for."""
        if not ticket.wakes.acquire(timeout=self._patience_seconds):
            with self._lock:
                if ticket in self._waiting:
                    return self._crew_of(ticket)
            # Somebody took it along in this very moment.
            ticket.wakes.acquire()
        return ticket.crew

    def _crew_of(self, leader: _Ticket[T, R]) -> list[_Ticket[T, R]]:
        """The leader, and whoever waits with it. Called with the lock held."""
        self._waiting.remove(leader)
        others, self._waiting = self._waiting[: self._at_most - 1], self._waiting[self._at_most - 1 :]
        self._under_way += 1
        return [leader, *others]

    def _lead(self, crew: list[_Ticket[T, R]]) -> None:
        try:
            results = self._work([ticket.item for ticket in crew])
            for ticket, result in zip(crew, results, strict=True):
                ticket.result = result
        except BaseException as error:
            for ticket in crew:
                ticket.error, ticket.was_shared = error, len(crew) > 1
        with self._lock:
            self._under_way -= 1
            successor = self._waiting[0] if self._waiting and self._under_way == 0 else None
            if successor is not None:
                successor.crew = self._crew_of(successor)
        if successor is not None:
            successor.wakes.release()
        for ticket in crew:
            ticket.wakes.release()
