"""The wake-up: after the commit, at most once in 20 ms, and never an error."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection

from kernel.outbox.queue import open_queue
from kernel.outbox.relay import Relay
from kernel.outbox.wakeup import THROTTLE_SECONDS, wake_relay
from kernel.transactions import unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _throttle_is_open() -> None:
    time.sleep(THROTTLE_SECONDS * 2)


def test_many_wake_ups_at_once_become_one() -> None:
    with open_queue() as queue:
        assert queue.lead()
        for _ in range(5):
            wake_relay()
        assert queue.wait(2.0)
        assert not queue.wait(0.1)


def test_inside_a_unit_of_work_the_relay_is_woken_after_the_commit() -> None:
    @unit_of_work
    def woken_inside() -> None:
        wake_relay()
        assert not queue.wait(0.1)

    with open_queue() as queue:
        assert queue.lead()
        woken_inside()
        assert queue.wait(2.0)


def test_a_rolled_back_unit_of_work_wakes_nobody() -> None:
    @unit_of_work
    def woken_and_regretted() -> None:
        wake_relay()
        raise RuntimeError

    with open_queue() as queue:
        assert queue.lead()
        with pytest.raises(RuntimeError):
            woken_and_regretted()
        assert not queue.wait(0.1)


def test_a_wake_up_that_fails_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def no_cursor() -> None:
        asked.append(1)
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", no_cursor)
    wake_relay()
    assert asked == [1]


def test_a_commit_whose_own_wake_up_was_throttled_is_found_by_the_second_look(
    queue_events: Callable[..., list[int]], running_relays: Callable[[], Relay]
) -> None:
    relay = running_relays()
    queue_events(1)
    _until(lambda: relay.delivered == 1)
    time.sleep(0.1)
    wake_relay()
    queue_events(1, starting_at=1)
    wake_relay()
    started = time.monotonic()
    _until(lambda: relay.delivered == 2)
    assert time.monotonic() - started < 0.5


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.002)
