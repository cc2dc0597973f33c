from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import OperationWriter

from kernel.migrations import TimeLimits


def _shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting(%s)", [name])
        value: str = cursor.fetchone()[0]
        return value


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("direction", ["database_forwards", "database_backwards"])
def test_the_limits_hold_until_the_migration_ends_in_both_directions(direction: str) -> None:
    before = (_shown("statement_timeout"), _shown("lock_timeout"))
    with transaction.atomic():
        with connection.schema_editor(atomic=False) as editor:
            getattr(TimeLimits(), direction)("payments", editor, ProjectState(), ProjectState())
        assert (_shown("statement_timeout"), _shown("lock_timeout")) == ("20s", "5s")
    assert (_shown("statement_timeout"), _shown("lock_timeout")) == before


def test_the_operation_is_written_with_its_own_numbers() -> None:
    operation = TimeLimits(statement_ms=1000, lock_ms=200)
    text, imports = OperationWriter(operation, indentation=0).serialize()
    assert imports == {"import kernel.migrations"}
    assert "statement_ms=1000" in text
    assert "lock_ms=200" in text
    _, args, kwargs = operation.deconstruct()
    assert TimeLimits(*args, **kwargs).deconstruct() == operation.deconstruct()
    assert operation.describe() == "Limit statements to 1000 ms and waits for locks to 200 ms"
