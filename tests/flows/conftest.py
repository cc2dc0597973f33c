"""What a process remembers between requests is forgotten between tests, as their rows are."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from payments.channeldirectory import directory
from payments.deduplication import forget_all
from payments.operations import receipts
from tests.flows.demosite import demo_site
from tests.simulators.fixtures import simulators, simulators_process

__all__ = ["demo_site", "simulators", "simulators_process"]


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    # What strangers of other tests have sent is not held against this one's.
    monkeypatch.setattr(receipts, "_budget", receipts._Budget())
    forget_all()
    directory.forget()
    yield
    forget_all()
    directory.forget()
