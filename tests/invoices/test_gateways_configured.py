"""Which gateways are spoken to: those of the settings, else the simulators, in production none that nobody named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from invoices.gateways import GatewayDown, GatewayNotConfigured, card_gateway, prepaid_gateway
from tests.simulators.running import RunningSimulators

FACTORIES = {"CARD": card_gateway, "PREPAID": prepaid_gateway}


@pytest.fixture(params=["CARD", "PREPAID"])
def prefix(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """Nothing is set and no simulators run."""
    settings.SIMULATORS_ADDRESS_FILE = tmp_path / "simulators.json"
    name: str = request.param
    return f"{name}_GATEWAY"


def factory(prefix: str) -> Callable[[], object]:
    return FACTORIES[prefix.partition("_")[0]]


def test_a_gateway_that_nobody_set_up_is_not_available_and_names_its_variables(prefix: str) -> None:
    with pytest.raises(GatewayNotConfigured) as caught:
        factory(prefix)()
    assert isinstance(caught.value, GatewayDown)
    for name in ("URL", "API_KEY", "SECRET"):
        assert f"{prefix}_{name}" in caught.value.detail


@pytest.mark.parametrize("missing", ["URL", "API_KEY", "SECRET"])
def test_a_gateway_that_is_half_set_up_names_only_what_is_missing_and_no_simulator_takes_its_place(
    prefix: str, missing: str, settings: Any, simulators_process: RunningSimulators
) -> None:
    settings.SIMULATORS_ADDRESS_FILE = simulators_process.address_file
    for name in {"URL", "API_KEY", "SECRET"} - {missing}:
        setattr(settings, f"{prefix}_{name}", "https://cards.example/v1" if name == "URL" else "something")
    with pytest.raises(GatewayNotConfigured) as caught:
        factory(prefix)()
    assert f"{prefix}_{missing}." in caught.value.detail
    assert caught.value.detail.count(prefix) == 1
    assert "something" not in caught.value.detail


def test_the_simulators_stand_in_while_nothing_is_set(
    prefix: str, settings: Any, simulators_process: RunningSimulators
) -> None:
    settings.SIMULATORS_ADDRESS_FILE = simulators_process.address_file
    assert factory(prefix)() is factory(prefix)()


def test_in_production_no_simulator_stands_in(
    prefix: str, settings: Any, simulators_process: RunningSimulators
) -> None:
    settings.SIMULATORS_ADDRESS_FILE = simulators_process.address_file
    settings.MODE = "production"
    with pytest.raises(GatewayNotConfigured):
        factory(prefix)()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"url": "http://127.0.0.1:1"}', '{"url": 1, "api_key": 2}'])
def test_an_address_file_that_is_not_whole_counts_as_none(prefix: str, settings: Any, content: str) -> None:
    settings.SIMULATORS_ADDRESS_FILE.write_text(content)
    with pytest.raises(GatewayNotConfigured):
        factory(prefix)()


def test_simulators_that_were_started_again_are_found_at_their_new_address(settings: Any, tmp_path: Path) -> None:
    settings.SIMULATORS_ADDRESS_FILE = tmp_path / "simulators.json"
    for _ in range(2):
        running = RunningSimulators(tmp_path)
        running.start()
        assert prepaid_gateway().find_debit("REG00000042") is None
        assert len(running.calls("prepaid")) == 1
        running.stop()
        with pytest.raises(GatewayNotConfigured):
            prepaid_gateway()


def test_a_gateway_that_is_set_is_used_with_its_key_and_secret(
    settings: Any, simulators_process: RunningSimulators, tmp_path: Path
) -> None:
    settings.SIMULATORS_ADDRESS_FILE = tmp_path / "none"
    settings.PREPAID_GATEWAY_URL = f"{simulators_process.url}/prepaid"
    settings.PREPAID_GATEWAY_API_KEY = simulators_process.api_key
    settings.PREPAID_GATEWAY_SECRET = simulators_process.secret
    simulators_process.clear()
    assert prepaid_gateway().find_debit("REG00000042") is None
    assert [call["status"] for call in simulators_process.calls("prepaid")] == [404]
