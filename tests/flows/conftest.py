"""What a process remembers between requests is forgotten between tests, as their rows are; and a browser."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

from payments.channeldirectory import directory
from payments.deduplication import forget_all
from payments.operations import receipts
from tests.flows.browsing import CHROMIUM, DESK, FLAGS, Visit
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


@pytest.fixture(scope="module")
def browser() -> Generator[Any]:
    from playwright.sync_api import sync_playwright

    # Playwright runs a loop of its own in this thread, which Django would take for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visit(browser: Any, house: Any, live_server: Any, request: pytest.FixtureRequest) -> Generator[Visit]:
    """The operator pat, before whatever the module's `house` holds."""
    visitor = Visit(browser, live_server.url, **getattr(request, "param", DESK))
    yield visitor
    visitor.context.close()
