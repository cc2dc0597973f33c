"""Threads share work that they wait for at the same moment, and each gets its own answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from kernel.gathering import Gathering


class Refusal(Exception):
    pass


class Work:
    """Doubles numbers; holds the first call until it is let go, and refuses every call that has a number below zero."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        is_first = len(self.calls) == 1
        self.has_begun.set()
        if is_first:
            assert self.may_go_on.wait(10)
        if min(items) < 0:
            raise Refusal(str(min(items)))
        return [item * 2 for item in items]


def gathering(work: Callable[[Sequence[int]], list[int]], *, patience: float = 10, at_most: int = 100) -> Gathering:
    return Gathering(work, patience_seconds=patience, at_most=at_most, apart_on=(Refusal,))


def wait_until(is_true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if is_true():
            return
        pause.wait(0.005)
    raise AssertionError("It did not come about within ten seconds.")


def start_first_and_then(
    shared: Gathering, work: Work, items: Sequence[int], pool: ThreadPoolExecutor
) -> tuple[Future, list[Future]]:
    """One item whose work is held up, then the others, all of which wait."""
    first = pool.submit(shared.do, 1)
    assert work.has_begun.wait(10)
    others = [pool.submit(shared.do, item) for item in items]
    wait_until(lambda: len(shared._waiting) == len(items))
    return first, others


def test_who_comes_alone_does_not_wait() -> None:
    work = Work()
    work.may_go_on.set()

    assert gathering(work).do(21) == 42
    assert work.calls == [[21]]


def test_who_comes_meanwhile_shares_the_next_call() -> None:
    work = Work()
    shared = gathering(work)
    with ThreadPoolExecutor(10) as pool:
        first, others = start_first_and_then(shared, work, range(2, 9), pool)
        work.may_go_on.set()

        assert [first.result(10), *(other.result(10) for other in others)] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert [sorted(call) for call in work.calls] == [[1], [2, 3, 4, 5, 6, 7, 8]]


def test_no_call_has_more_items_than_agreed() -> None:
    work = Work()
    shared = gathering(work, at_most=3)
    with ThreadPoolExecutor(10) as pool:
        first, others = start_first_and_then(shared, work, range(2, 9), pool)
        work.may_go_on.set()

        assert first.result(10) == 2
        assert [other.result(10) for other in others] == [4, 6, 8, 10, 12, 14, 16]
    assert [len(call) for call in work.calls] == [1, 3, 3, 1]


def test_one_bad_item_harms_no_neighbour() -> None:
    work = Work()
    shared = gathering(work)
    with ThreadPoolExecutor(10) as pool:
        first, others = start_first_and_then(shared, work, [2, -3, 4], pool)
        work.may_go_on.set()

        assert (first.result(10), others[0].result(10), others[2].result(10)) == (2, 4, 8)
        with pytest.raises(Refusal, match="-3"):
            others[1].result(10)
    assert sorted(work.calls[2:]) == [[-3], [2], [4]]


def test_an_error_of_the_work_itself_reaches_everybody_who_shared_it() -> None:
    calls: list[int] = []
    has_begun, may_go_on = threading.Event(), threading.Event()

    def broken(items: Sequence[int]) -> list[int]:
        calls.append(len(items))
        has_begun.set()
        assert may_go_on.wait(10)
        raise RuntimeError("the line is dead")

    shared = gathering(broken)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(shared.do, 1)]
        assert has_begun.wait(10)
        futures += [pool.submit(shared.do, item) for item in (2, 3)]
        wait_until(lambda: len(shared._waiting) == 2)
        may_go_on.set()
        for future in futures:
            with pytest.raises(RuntimeError, match="dead"):
                future.result(10)
    assert calls == [1, 2]


def test_who_has_waited_long_enough_begins_beside_the_call_under_way() -> None:
    work = Work()
    shared = gathering(work, patience=0.001)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.do, 1)
        assert work.has_begun.wait(10)
        assert shared.do(2) == 4
        assert not first.done()
        work.may_go_on.set()
        assert first.result(10) == 2


@pytest.mark.parametrize("patience", [0.0, 0.0002, 10])
def test_every_one_of_many_gets_its_own_answer_exactly_once(patience: float) -> None:
    seen: list[int] = []
    lock = threading.Lock()

    def work(items: Sequence[int]) -> list[int]:
        if any(item % 97 == 0 for item in items):
            raise Refusal
        with lock:
            seen.extend(items)
        return [item * 2 for item in items]

    shared = gathering(work, patience=patience, at_most=7)

    def one(item: int) -> bool:
        try:
            return shared.do(item) == item * 2 and item % 97 != 0
        except Refusal:
            return item % 97 == 0

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(one, range(5000)))
    assert sorted(seen) == [item for item in range(5000) if item % 97]
    assert shared._waiting == []
    assert shared._under_way == 0
