"""pytest's face of the simulators: a conftest imports `simulators` and `simulators_process` from here."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from django.conf import settings

from tests.simulators.running import RunningSimulators


@pytest.fixture(scope="session")
def simulators_process(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningSimulators]:
    """One process for the whole run; use `simulators`."""
    folder: Path = tmp_path_factory.mktemp("simulators")
    running = RunningSimulators(folder)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def simulators(simulators_process: RunningSimulators, monkeypatch: pytest.MonkeyPatch) -> Generator[RunningSimulators]:
    """Both systems with empty books and no faults; `card_gateway()` and `prepaid_gateway()` lead to them."""
    simulators_process.clear()
    monkeypatch.setattr(settings, "SIMULATORS_ADDRESS_FILE", simulators_process.address_file)
    for system in ("CARD", "PREPAID"):
        # Short, so that an answer that never comes costs a test little.
        monkeypatch.setattr(settings, f"{system}_GATEWAY_TIMEOUT_MS", 3000)
    yield simulators_process
    simulators_process.clear()
