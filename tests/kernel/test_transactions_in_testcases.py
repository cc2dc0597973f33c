"""The rules of kernel.transactions where Django's own test classes own a transaction, and where they do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import TestCase, TransactionTestCase

from kernel.transactions import TransactionMisuse, after_commit, is_inside_unit_of_work, unit_of_work
from tests.kernel.test_transactions import Declined, calling, names, step, work


class AfterCommit:
    """Callbacks of a unit of work, committed and rolled back."""

    def test_a_callback_waits_for_the_commit(self) -> None:
        seen: list[tuple[str, bool]] = []

        @unit_of_work
        def announced() -> None:
            after_commit(lambda: seen.append(("called", is_inside_unit_of_work())))
            step("a")
            seen.append(("recorded", is_inside_unit_of_work()))

        self.run_with_callbacks(announced)
        assert seen == [("recorded", True), ("called", False)]

    def test_a_callback_of_what_was_rolled_back_never_comes(self) -> None:
        seen: list[str] = []

        @unit_of_work
        def failing() -> None:
            after_commit(lambda: seen.append("called"))
            raise Declined

        def declined() -> None:
            with pytest.raises(Declined):
                failing()

        self.run_with_callbacks(declined)
        assert seen == []

    def run_with_callbacks(self, function: Callable[[], None]) -> None:
        raise NotImplementedError


class TestUnderDjangosTestCase(AfterCommit, TestCase):
    def test_the_transaction_of_the_runner_is_not_a_unit_of_work(self) -> None:
        assert connection.in_atomic_block
        assert not is_inside_unit_of_work()
        work("a")
        with pytest.raises(TransactionMisuse):
            step("b")
        with pytest.raises(TransactionMisuse):
            calling(lambda: work("c"))
        assert names() == ["a"]

    def run_with_callbacks(self, function: Callable[[], None]) -> None:
        with self.captureOnCommitCallbacks(execute=True):
            function()


class TestUnderDjangosTransactionTestCase(AfterCommit, TransactionTestCase):
    def test_without_a_transaction_of_the_runner_the_rules_are_the_same(self) -> None:
        assert not connection.in_atomic_block
        work("a")
        with pytest.raises(TransactionMisuse):
            step("b")
        with pytest.raises(TransactionMisuse):
            calling(lambda: work("c"))
        assert names() == ["a"]

    def run_with_callbacks(self, function: Callable[[], None]) -> None:
        function()
