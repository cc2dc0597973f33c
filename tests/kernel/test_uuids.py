from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.uuids import uuid7

NOW = datetime(2026, 11, 5, 12, 0, 0, 123456, tzinfo=UTC)


def _milliseconds(identifier: UUID) -> int:
    return identifier.int >> 80


@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)))
def test_an_identifier_is_a_version_7_uuid_within_the_order_tolerance_of_its_instant(at: datetime) -> None:
    identifier = uuid7(at)
    assert (identifier.version, identifier.variant) == (7, RFC_4122)
    expected = int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    assert 0 <= _milliseconds(identifier) - expected < 10_000


def test_identifiers_of_one_instant_rise_and_differ() -> None:
    made = [uuid7(NOW) for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == 20_000
    assert {_milliseconds(identifier) for identifier in made} == {_milliseconds(uuid7(NOW))}


def test_a_clock_that_steps_back_a_little_keeps_the_order() -> None:
    first = uuid7(NOW + timedelta(days=1))
    assert uuid7(NOW + timedelta(days=1) - timedelta(seconds=9)) > first


def test_a_much_older_instant_is_shown_as_it_is() -> None:
    uuid7(NOW + timedelta(days=2))
    old = datetime(2020, 1, 1, tzinfo=UTC)
    assert _milliseconds(uuid7(old)) == int(old.timestamp() * 1000)


def test_threads_never_share_an_identifier() -> None:
    made: list[UUID] = []

    def make() -> None:
        made.extend([uuid7(NOW) for _ in range(2_000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000


def test_a_forked_child_does_not_repeat_what_its_parent_counts() -> None:
    at = NOW + timedelta(days=3)
    before = uuid7(at)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write_end, uuid7(at).bytes)
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = UUID(bytes=os.read(read_end, 16)), uuid7(at)
    counter_bits = 42
    assert (ours.int >> 80) == (theirs.int >> 80) == (before.int >> 80)
    assert _counter(ours) == _counter(before) + 1
    assert _counter(theirs) != _counter(ours)
    assert _counter(theirs) < 1 << counter_bits


def _counter(identifier: UUID) -> int:
    return (identifier.int >> 64 & 0xFFF) << 30 | (identifier.int >> 32 & (1 << 30) - 1)


def test_an_instant_before_1970_is_refused() -> None:
    with pytest.raises(ValueError, match="1969"):
        uuid7(datetime(1969, 12, 31, tzinfo=UTC))
