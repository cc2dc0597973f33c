from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from kernel.transactions import (
    TransactionMisuse,
    after_commit,
    inside_unit_of_work,
    is_inside_unit_of_work,
    own_statements,
    unit_of_work,
)


class Declined(Exception):
    """What an operation of these tests raises."""


@inside_unit_of_work
def step(name: str) -> str:
    Group.objects.create(name=name)
    return name


@unit_of_work
def work(name: str) -> str:
    return step(name)


@unit_of_work
def declined_work(name: str) -> None:
    step(name)
    raise Declined


@own_statements
def lone_statement(name: str) -> None:
    Group.objects.create(name=name)


@unit_of_work
def calling(inner: Callable[[], object]) -> None:
    step("outer")
    inner()


# Every rule holds under the runner's own transaction (db) and without one (transactional_db).
BOTH_MODES = pytest.fixture(params=["db", "transactional_db"])


@BOTH_MODES
def _database(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(request.param)


pytestmark = pytest.mark.usefixtures("_database")


def names() -> list[str]:
    return sorted(Group.objects.values_list("name", flat=True))


def test_a_unit_of_work_commits_what_its_steps_did() -> None:
    assert work("a") == "a"
    assert names() == ["a"]
    assert not is_inside_unit_of_work()


def test_a_unit_of_work_that_raises_leaves_nothing() -> None:
    with pytest.raises(Declined):
        declined_work("a")
    assert names() == []
    assert not is_inside_unit_of_work()


def test_a_unit_of_work_can_follow_another() -> None:
    work("a")
    with pytest.raises(Declined):
        declined_work("b")
    work("c")
    assert names() == ["a", "c"]


@pytest.mark.parametrize("inner", [lambda: work("b"), lambda: lone_statement("b")], ids=["unit", "own statements"])
def test_what_owns_its_transaction_refuses_to_be_nested_and_nothing_stays(inner: Callable[[], object]) -> None:
    with pytest.raises(TransactionMisuse, match=r"work|lone_statement"):
        calling(inner)
    assert names() == []


def test_a_unit_of_work_refuses_a_bare_atomic_block_around_it() -> None:
    with transaction.atomic():
        assert is_inside_unit_of_work()
        with pytest.raises(TransactionMisuse, match="called inside one"):
            work("a")
    assert names() == []


def test_a_step_refuses_to_run_alone() -> None:
    with pytest.raises(TransactionMisuse, match="step"):
        step("a")
    assert names() == []


def test_own_statements_run_without_a_transaction_of_ours() -> None:
    lone_statement("a")
    assert names() == ["a"]


def test_after_commit_refuses_to_run_alone() -> None:
    called: list[str] = []
    with pytest.raises(TransactionMisuse, match="after_commit"):
        after_commit(lambda: called.append("at once"))
    assert called == []


def test_a_refusal_inside_a_step_can_be_caught_and_the_unit_still_commits() -> None:
    @unit_of_work
    def cautious() -> None:
        step("a")
        try:
            with transaction.atomic():
                step("b")
                raise Declined
        except Declined:
            step("c")

    cautious()
    assert names() == ["a", "c"]


def test_the_decorators_keep_name_and_documentation() -> None:
    @unit_of_work
    def pay() -> None:
        """Pays."""

    assert (pay.__name__, pay.__doc__) == ("pay", "Pays.")


@pytest.mark.parametrize("decorate", [unit_of_work, inside_unit_of_work, own_statements])
def test_what_would_run_after_the_decorator_has_gone_is_refused(decorate: Callable[[Any], Any]) -> None:
    def rows() -> Iterator[int]:
        yield 1

    async def answer() -> int:
        return 1

    async def stream() -> AsyncIterator[int]:
        yield 1

    for late in (rows, answer, stream):
        with pytest.raises(TypeError, match=late.__name__):
            decorate(late)
