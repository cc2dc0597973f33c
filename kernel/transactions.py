"""Who owns the transaction is visible: one decorator opens and commits, one requires, one stands alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, transaction

# An older snapshot does not see what TRUNCATE, renaming or detaching have done since: rows seem to be gone. Whoever
# needs one snapshot for long shares this advisory lock, whoever does such a thing takes it alone.
SNAPSHOT_LOCK = 7_310_004

P = ParamSpec("P")
R = TypeVar("R")


class TransactionMisuse(RuntimeError):
    """A step was called without a unit of work, or a unit of work inside another: a defect of the caller."""


def unit_of_work(function: Callable[P, R]) -> Callable[P, R]:
    """Opens a transaction, commits it when the function returns, rolls back when it raises. Refuses to be nested."""
    _refuse_late_bodies(function)

    @wraps(function)
    def opened(*args: P.args, **kwargs: P.kwargs) -> R:
        if is_inside_unit_of_work():
            raise TransactionMisuse(f"{function.__qualname__} opens its own unit of work and was called inside one.")
        with transaction.atomic():
            return function(*args, **kwargs)

    return opened


def inside_unit_of_work(function: Callable[P, R]) -> Callable[P, R]:
    """Marks a step of somebody else's transaction. Refuses to run without one."""
    _refuse_late_bodies(function)

    @wraps(function)
    def required(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_inside_unit_of_work():
            raise TransactionMisuse(f"{function.__qualname__} is a step: call it inside a unit of work.")
        return function(*args, **kwargs)

    return required


def own_statements(function: Callable[P, R]) -> Callable[P, R]:
    """For hot paths: every SQL statement inside is complete in itself and commits by itself. Refuses to be nested.

    One statement that claims, records and announces is atomic without BEGIN and COMMIT, which saves two of the
    three round trips of a webhook.
    """
    _refuse_late_bodies(function)

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        if is_inside_unit_of_work():
            raise TransactionMisuse(f"{function.__qualname__} commits each statement and was called inside a unit.")
        return function(*args, **kwargs)

    return alone


def after_commit(callback: Callable[[], object]) -> None:
    """Calls back once the surrounding unit of work has committed. Raises TransactionMisuse when there is none."""
    if not is_inside_unit_of_work():
        raise TransactionMisuse("after_commit needs a unit of work; without one the callback would run at once.")
    transaction.on_commit(callback)


def is_inside_unit_of_work() -> bool:
    """True inside a unit of work. The transaction that Django's TestCase wraps around a test does not count."""
    connection = transaction.get_connection(DEFAULT_DB_ALIAS)
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def _refuse_late_bodies(function: Callable[..., object]) -> None:
    """A generator or a coroutine runs after the call has returned, when its transaction would already be over."""
    if (
        inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
        or inspect.iscoroutinefunction(function)
    ):
        raise TypeError(f"{function.__qualname__} does its work after it has returned: let it return a list.")
