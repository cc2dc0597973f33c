"""What the overview keeps for a few seconds is forgotten between tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Generator[None]:
    cache.clear()
    yield
    cache.clear()
