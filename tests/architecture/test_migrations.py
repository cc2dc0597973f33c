"""How our migrations are built: within time limits, structure apart from data, with a way back, and a name."""

from __future__ import annotations

import re

import pytest
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader

from kernel.migrations import TimeLimits
from tests.architecture.sources import PRODUCT


def ours() -> list[tuple[str, Migration]]:
    loader = MigrationLoader(None)
    return sorted(
        (f"{label}.{name}", migration)
        for (label, name), migration in loader.disk_migrations.items()
        if type(migration).__module__.split(".", 1)[0] in PRODUCT
    )


def test_our_migrations_are_found() -> None:
    assert {name.split(".")[0] for name, _ in ours()} >= {"audit", "jobs", "outbox", "payments"}


@pytest.mark.parametrize(("name", "migration"), ours(), ids=[name for name, _ in ours()])
def test_a_migration_limits_its_time_before_anything_else(name: str, migration: Migration) -> None:
    assert migration.operations, f"{name} does nothing: remove it."
    assert isinstance(migration.operations[0], TimeLimits), (
        f"Let {name} begin with kernel.migrations.TimeLimits(), so that it gives up where it cannot get its lock."
    )


@pytest.mark.parametrize(("name", "migration"), ours(), ids=[name for name, _ in ours()])
def test_a_migration_changes_structure_or_data_and_never_both(name: str, migration: Migration) -> None:
    changes = [operation for operation in migration.operations if not isinstance(operation, TimeLimits)]
    by_python = [operation for operation in changes if isinstance(operation, RunPython)]
    assert not by_python or len(by_python) == len(changes), f"Split {name}: RunPython in a migration of its own."


@pytest.mark.parametrize(("name", "migration"), ours(), ids=[name for name, _ in ours()])
def test_a_migration_can_be_undone(name: str, migration: Migration) -> None:
    one_way = [
        operation.describe()
        for operation in migration.operations
        if isinstance(operation, RunSQL | RunPython) and not operation.reversible
    ]
    assert not one_way, f"Give these operations of {name} a way back: {one_way}"


@pytest.mark.parametrize(("name", "migration"), ours(), ids=[name for name, _ in ours()])
def test_a_migration_is_named_for_what_it_does(name: str, migration: Migration) -> None:
    title = migration.name.partition("_")[2]
    assert title, f"Give {name} a verb phrase, such as create_channels."
    assert not re.match(r"auto_|initial$|alter_\w+_more$", title), f"{name} says when and not what: rename it."
