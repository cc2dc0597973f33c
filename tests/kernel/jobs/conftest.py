from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from kernel.jobs import operations, registry


@pytest.fixture(autouse=True)
def _jobs_of_the_test() -> Generator[None]:
    """A test declares its own jobs; they are gone after it."""
    known = dict(registry._jobs)
    yield
    registry._jobs.clear()
    registry._jobs.update(known)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Takes the place of the broker: which runs the workers were told of."""
    told: list[Any] = []

    def announce(run_id: Any) -> bool:
        told.append(run_id)
        return True

    monkeypatch.setattr(operations, "announce", announce)
    return told
