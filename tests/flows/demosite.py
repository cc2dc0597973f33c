"""A site with the demo data, as `./run` makes it, for what the docs let their readers try with curl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from paymentsite.demo import load_demo_clients, load_demo_records
from paymentsite.stack.folders import StateFolder
from tests.simulators.running import RunningSimulators

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not on this machine")
SCRIPT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class DemoSite:
    """`folder` stands for the checkout of whoever ran `./run` there: its secrets are in var/secrets."""

    url: str
    folder: Path

    def secret(self, name: str) -> str:
        return (self.folder / "var" / "secrets" / name).read_text()

    def run(self, script: str, *arguments: str, path: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """The script, as a shell would run it in that folder; `path` goes before the folders of programs."""
        programs = os.pathsep.join(filter(None, (path, str(Path(sys.executable).parent), os.environ["PATH"])))
        environment = {"PATH": programs, "TMPDIR": str(self.folder), **variables}
        command = ["sh", "-eu", "-c", script, *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SCRIPT_SECONDS,
            check=False,
        )


@pytest.fixture
def demo_site(
    live_server: LiveServer, simulators: RunningSimulators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DemoSite:
    """With accounts, prices, invoices, two API clients, and the simulated gateways."""
    state = StateFolder(tmp_path / "var")
    state.secret_folder.mkdir(parents=True)
    monkeypatch.setattr(settings, "STATE", state)
    load_demo_clients(at=timezone.now())
    load_demo_records(at=timezone.now())
    return DemoSite(live_server.url, tmp_path)
