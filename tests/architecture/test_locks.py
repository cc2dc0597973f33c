"""A lock is proved by its SQL: evaluated at once, ordered by key, on the row's own table, and written in one place."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from tests.architecture.sources import PRODUCT, named, python_files, tree_of

# A model of another package has no queryset of ours to write its lock in.
STRANGERS = {"paymentsite/schedule.py": "the rows of django-celery-beat"}


def lockable() -> list[type[models.Model]]:
    ours = [model for model in apps.get_models() if model.__module__.split(".", 1)[0] in PRODUCT]
    return [model for model in ours if hasattr(model._default_manager, "lock")]


def test_there_are_models_whose_rows_can_be_locked() -> None:
    assert lockable()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", lockable(), ids=lambda model: model._meta.label)
def test_a_lock_is_taken_at_once_in_the_order_of_the_keys(model: type[models.Model]) -> None:
    lock: Callable[..., Any] = getattr(model._default_manager, "lock")  # noqa: B009 - not every manager has one
    takes_several = "pks" in inspect.signature(lock).parameters
    first, second = _two_keys(model)

    with (
        transaction.atomic(),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        locked = lock([second, first] if takes_several else first)

    assert locked == [], f"{model._meta.label}.lock() must give a list: a queryset that nobody reads locks nothing."
    assert len(queries) == 1
    statement = queries[0]["sql"].upper()
    table = f'"{model._meta.db_table}"'.upper()
    # Without KEY, rows of others may go on referring to a locked row.
    locked = re.search(r"FOR (?:NO KEY )?UPDATE( OF \S+)?", statement)
    assert locked, f"{model._meta.label}.lock() locks nothing."
    assert locked[1] == f" OF {table}", f"Say of=('self',), so that {model._meta.label} locks its rows alone."
    if takes_several:
        key = f'ORDER BY {table}."{model._meta.pk.column}" ASC'.upper()
        assert key in statement, f"Order {model._meta.label}.lock() by key, or two of them can wait for each other."


def _two_keys(model: type[models.Model]) -> tuple[Any, Any]:
    if isinstance(model._meta.pk, models.UUIDField):
        return UUID(int=1), UUID(int=2)
    return 1, 2


def test_locks_are_written_in_querysets_only() -> None:
    elsewhere = [
        f"{named(path)}:{node.lineno}"
        for path in python_files(*PRODUCT)
        if path.stem != "querysets" and named(path) not in STRANGERS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "select_for_update"
    ]
    assert not elsewhere, f"Call .lock(pks) of the queryset; if there is none, write it there: {elsewhere}"
