"""The simulators of the outside systems belong to a start from a checkout, and to no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paymentsite.stack.composition import own_programs, simulators_are_here, simulators_are_wanted
from paymentsite.stack.folders import StateFolder
from paymentsite.stack.simulators import ENTRY, SimulatorsProgram, simulators_url
from paymentsite.stack.welcome import welcome

ROOT = Path(__file__).resolve().parent.parent.parent


def names() -> list[str]:
    return [program.name for program in own_programs()]


def test_nothing_set_starts_them() -> None:
    assert simulators_are_wanted()
    assert simulators_are_here()
    assert names() == ["web", "worker", "relay", "simulators"]


@pytest.mark.parametrize("one", ["CARD_GATEWAY_URL", "PREPAID_GATEWAY_URL"])
def test_one_gateway_that_is_set_leaves_them_for_the_other(settings: Any, one: str) -> None:
    setattr(settings, one, "https://cards.example")
    assert "simulators" in names()


def test_both_gateways_set_leave_them_out(settings: Any) -> None:
    settings.CARD_GATEWAY_URL = settings.PREPAID_GATEWAY_URL = "https://cards.example"
    assert not simulators_are_wanted()
    assert "simulators" not in names()


def test_production_never_starts_them(settings: Any) -> None:
    settings.MODE = "production"
    assert not simulators_are_wanted()
    assert "simulators" not in names()


def test_a_folder_without_the_tests_starts_without_them(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    assert not simulators_are_here()
    assert "simulators" not in names()


def test_their_entry_is_where_the_stack_looks_for_it() -> None:
    assert (ROOT / ENTRY).is_file()


def program(folder: Path) -> SimulatorsProgram:
    return SimulatorsProgram(
        address_file=folder / "simulators.json", folder=ROOT, log_folder=folder, environment={"PYTHONUNBUFFERED": "1"}
    )


def test_they_are_up_when_their_address_is_written_and_leave_none_behind(tmp_path: Path) -> None:
    (tmp_path / "simulators.json").write_text('{"url": "http://127.0.0.1:1"}')
    simulators = program(tmp_path)
    child = simulators.start()
    try:
        url = simulators_url(simulators.address_file)
        assert url != "http://127.0.0.1:1"
        assert set(json.loads(simulators.address_file.read_text())) == {"url", "api_key", "secret"}
        assert simulators.address_file.stat().st_mode & 0o077 == 0, "The keys are for this user alone."
        libraries = Path(f"/proc/{child.pid}/maps").read_text()
        assert "_psycopg" not in libraries, "Only the standard library: this process has to stay small."
    finally:
        child.ask_to_stop()
        assert child.wait_until_stopped(seconds=5) == 0
    assert simulators_url(simulators.address_file) is None


def test_the_welcome_says_where_they_are_only_when_they_run(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "address": "http://localhost:3004",
        "console_path": "/admin/",
        "username": "admin",
        "password": None,
        "state": StateFolder(tmp_path),
    }
    assert "http://127.0.0.1:4711" in welcome(**given, simulators="http://127.0.0.1:4711")
    assert "Simulated" not in welcome(**given)
