"""The whole product as `manage.py up` runs it, on the stand's servers, and the memory of its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from django.conf import settings

from benchmarks.stand import Stand

START_SECONDS = 90
STOP_SECONDS = 20
# How each process is recognised by its command line; the first that fits, and the broker is a server, not ours.
NAMES = {
    "mockkafka": "broker",
    "granian": "web",
    "run_worker": "worker",
    "relay_outbox": "relay",
    "manage.py up": "supervisor",
}


class WholeStack:
    """Up between entering and leaving."""

    def __init__(self, stand: Stand) -> None:
        self.printed = stand.folder / "up.out"

    def __enter__(self) -> WholeStack:
        with self.printed.open("w") as output:
            self.popen = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "up"],
                cwd=settings.BASE_DIR,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ),
            )
        deadline = time.monotonic() + START_SECONDS
        while "is running." not in self.printed.read_text():
            if self.popen.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise RuntimeError(f"The stack did not start: {self.printed.read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()

    def memory_mb(self) -> dict[str, float]:
        """Of each of our processes, and of the embedded broker: its own pages and its share of the shared ones."""
        found: dict[str, float] = {}
        for pid in tree(self.popen.pid):
            name = name_of(pid)
            if name is None:
                continue
            while name in found:
                name += "+"
            found[name] = proportional_mb(pid)
        return found


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return [pid, *(below for child in children for below in tree(child))]


def name_of(pid: int) -> str | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    return next((name for word, name in NAMES.items() if word in command), None)


def proportional_mb(pid: int) -> float:
    """Pss: each page counted by as much as falls to this process of all that have it."""
    return _field_kb(Path(f"/proc/{pid}/smaps_rollup"), "Pss") / 1024


def resident_mb(pid: int) -> float:
    return _field_kb(Path(f"/proc/{pid}/status"), "VmRSS") / 1024


def _field_kb(file: Path, name: str) -> int:
    """0 when the process is gone."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
