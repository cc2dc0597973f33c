"""The rate of a replay, on a clock that the tests turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.outbox.pacing import BACKLOG_MOST, BACKLOG_SECONDS, CHUNK_MOST, MADE_UP_SECONDS, Pace, chunk_size


@pytest.mark.parametrize(("rate", "size"), [(1, 1), (2, 1), (3, 1), (200, 100), (2000, CHUNK_MOST), (1000, 500)])
def test_a_chunk_holds_the_events_of_half_a_second_and_at_least_one(rate: int, size: int) -> None:
    assert chunk_size(rate) == size


def test_chunks_follow_each_other_at_the_rate() -> None:
    pace = Pace(200, due_at=10.0)
    assert pace.wait_seconds(now=10.0, backlog=0) == 0.0
    pace.queued(100, now=10.0)
    assert pace.wait_seconds(now=10.0, backlog=0) == pytest.approx(0.5)
    assert pace.wait_seconds(now=10.4, backlog=0) == pytest.approx(0.1)
    assert pace.wait_seconds(now=10.5, backlog=0) == 0.0


def test_a_replay_steps_back_while_the_broker_has_enough_to_do() -> None:
    pace = Pace(200, due_at=0.0)
    assert pace.wait_seconds(now=5.0, backlog=BACKLOG_MOST) == BACKLOG_SECONDS
    assert pace.wait_seconds(now=5.0, backlog=BACKLOG_MOST - 1) == 0.0


@given(
    rate=st.integers(1, 2000),
    delays=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200),
)
def test_whatever_the_delays_no_stretch_of_time_holds_more_than_its_rate_and_what_is_made_up(
    rate: int, delays: list[float]
) -> None:
    pace = Pace(rate, due_at=0.0)
    now, size = 0.0, chunk_size(rate)
    at: list[float] = []
    for delay in delays:
        now += pace.wait_seconds(now=now, backlog=0) + delay
        pace.queued(size, now=now)
        at.append(now)
    most_made_up = rate * MADE_UP_SECONDS + 2 * size
    for first in range(0, len(at), 7):
        for last in range(first, len(at), 5):
            events = (last - first + 1) * size
            assert events <= rate * (at[last] - at[first]) + most_made_up + 1e-6 * rate


def test_without_delays_the_rate_is_reached_exactly() -> None:
    pace = Pace(300, due_at=0.0)
    now, queued = 0.0, 0
    while queued < 3000:
        now += pace.wait_seconds(now=now, backlog=0)
        pace.queued(chunk_size(300), now=now)
        queued += chunk_size(300)
    assert pace.due_at == pytest.approx(10.0)
