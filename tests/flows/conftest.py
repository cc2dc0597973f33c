"""What a process remembers between requests is forgotten between tests, as their rows are."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from payments.channeldirectory import directory
from payments.deduplication import forget_all


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Generator[None]:
    forget_all()
    directory.forget()
    yield
    forget_all()
    directory.forget()
