"""`manage.py up` for real: started, started twice, hurt, stopped, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
# Postmaster and its first children, Valkey, broker, web and its worker process, worker, relay, simulators.
ALL_PROCESSES = 14
# What the test run exports for itself; an instance under test must find nothing of it.
NOT_PASSED_ON = ("DATABASE_URL", "DB_HOST", "REDIS_URL", "REDIS_HOST", "KAFKA_BROKERS", "NODE_ENV", "PAYMENTSITE_ROLE")


class Instance:
    """One supervisor on a state folder and a port of its own, with everything it printed."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state
        self.port = port
        self.printed = state.parent / f"{state.name}-{port}.out"
        environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        with self.printed.open("w") as output:
            self.popen = subprocess.Popen(
                [sys.executable, str(CHECKOUT / "manage.py"), "up"],
                env=environment | {"PAYMENTSITE_STATE": str(state), "PORT": str(port)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.printed.read_text()

    def last_line(self) -> str:
        return self.text().strip().rpartition("\n")[2]

    def wait_until_up(self) -> None:
        wait_for(lambda: "paymentsite is running." in self.text() or self.popen.poll() is not None, START_SECONDS)
        assert "paymentsite is running." in self.text(), self.text()
        assert self.popen.poll() is None, self.text()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def descendants(self) -> dict[int, str]:
        """Number and start time of everything below the supervisor, so that a number used again is no false alarm."""
        children: dict[int, list[int]] = {}
        for pid in running():
            children.setdefault(stat_fields(pid)[1], []).append(pid)
        found, waiting = {}, [self.popen.pid]
        while waiting:
            for pid in children.get(waiting.pop(), []):
                found[pid] = stat_fields(pid)[0]
                waiting.append(pid)
        return found


def running() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def stat_fields(pid: int) -> tuple[str, int]:
    """Start time and parent; a process that is gone, or waits to be buried, has neither."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", -1
    return ("", -1) if fields[0] == "Z" else (fields[19], int(fields[1]))


def left_of(processes: dict[int, str]) -> set[int]:
    return {pid for pid, started in processes.items() if stat_fields(pid)[0] == started}


def is_gone(processes: dict[int, str]) -> bool:
    return not left_of(processes)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A short one, for sockets. The tests share its state: whichever is first pays for the migrations."""
    with tempfile.TemporaryDirectory(prefix="ps-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Instance]]:
    """Starts instances; whatever a test leaves running is killed."""
    started: list[Instance] = []

    def start_one(*, state: str = "state", port: int | None = None) -> Instance:
        started.append(Instance(folder / state, port or free_port()))
        return started[-1]

    yield start_one
    for instance in started:
        processes = instance.descendants()
        instance.popen.kill()
        instance.popen.wait()
        assert wait_for(partial(is_gone, processes), 10)


def postmaster_of(instance: Instance) -> int:
    return int((instance.state / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def test_an_instance_guards_its_folder_and_port_heals_and_stops_cleanly(start: Callable[..., Instance]) -> None:
    instance = start()
    instance.wait_until_up()
    assert instance.answers()
    assert "Password   " in instance.text()
    assert (instance.state.stat().st_mode & 0o777) == 0o700

    same_folder = start(port=free_port())
    same_port = start(state="other", port=instance.port)
    assert same_folder.popen.wait(20) == 1
    assert same_port.popen.wait(20) == 1
    assert same_folder.last_line().startswith(f"Already running on the folder {instance.state} (pid ")
    assert same_port.last_line().startswith(f"Port {instance.port} is in use.")

    os.kill(postmaster_of(instance), signal.SIGKILL)
    assert wait_for(lambda: "PostgreSQL ended (exit code -9" in instance.text(), 10)
    assert wait_for(lambda: len(instance.descendants()) >= ALL_PROCESSES, 20)
    assert instance.answers()
    assert instance.popen.poll() is None

    processes = instance.descendants()
    asked_at = time.monotonic()
    instance.popen.send_signal(signal.SIGTERM)
    assert instance.popen.wait(20) == 0
    assert time.monotonic() - asked_at < 10
    assert left_of(processes) == set()
    assert instance.last_line().startswith("Stopped in ")
    assert "database system is shut down" in (instance.state / "log" / "postgres.log").read_text()


def test_kill_9_of_the_supervisor_leaves_no_child_and_no_damage(start: Callable[..., Instance]) -> None:
    killed = start()
    killed.wait_until_up()
    password = (killed.state / "secrets" / "staff_password").read_text()
    processes = killed.descendants()
    killed.popen.kill()
    killed.popen.wait()
    assert wait_for(partial(is_gone, processes), 10), left_of(processes)

    again = start(port=killed.port)
    again.wait_until_up()
    assert again.answers()
    assert password in again.text()
    assert "Loading the demo data" not in again.text()
    again.popen.send_signal(signal.SIGINT)
    assert again.popen.wait(20) == 0
