"""The supervisor restarts what dies, gives up on what keeps dying, and stops in order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paymentsite.stack.children import CannotStart, Child, start_child
from paymentsite.stack.interruption import Interruption, StopRequested
from paymentsite.stack.programs import Program
from paymentsite.stack.supervisor import KeepsDying, Supervisor, pause_before_restart


class ShellProgram(Program):
    """A shell script as a program; it counts its starts."""

    def __init__(self, name: str, script: str, folder: Path) -> None:
        self.name = name
        self.script = script
        self.folder = folder
        self.starts = 0

    def spawn(self) -> Child:
        self.starts += 1
        return start_child(["sh", "-c", self.script], log=self.folder / f"{self.name}.log", folder=self.folder)


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    """Installed for one test; afterwards the signals are what they were."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    before = {number: signal.getsignal(number) for number in numbers}
    interruption = Interruption()
    interruption.install()
    yield interruption
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(-1)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(interruption: Interruption, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(interruption, say=said.append)
    yield supervisor
    supervisor.stop()


def ask_to_stop_in(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()


@pytest.mark.parametrize(("deaths", "seconds"), [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6), (6, 6.4), (7, 10), (50, 10)])
def test_the_pause_doubles_up_to_ten_seconds(deaths: int, seconds: float) -> None:
    assert pause_before_restart(deaths) == pytest.approx(seconds)


def test_a_program_that_dies_once_is_started_again(supervisor: Supervisor, tmp_path: Path, said: list[str]) -> None:
    once = ShellProgram("once", "test -e died && exec sleep 60; touch died; echo why; exit 7", tmp_path)
    steady = ShellProgram("steady", "exec sleep 60", tmp_path)
    supervisor.start(once, steady)
    ask_to_stop_in(1.0)
    with pytest.raises(StopRequested):
        supervisor.watch()
    assert (once.starts, steady.starts) == (2, 1)
    assert said == ["once ended (exit code 7: why); it is started again in 0.2 s."]


def test_five_deaths_within_a_minute_end_everything(supervisor: Supervisor, tmp_path: Path) -> None:
    broken = ShellProgram("broken", "echo the reason; exit 1", tmp_path)
    supervisor.start(broken)
    with pytest.raises(KeepsDying, match=r"^broken died 5 times within 60 s \(exit code 1: the reason\)\.\nthe reason"):
        supervisor.watch()
    assert broken.starts == 5


def test_the_last_started_is_stopped_first(supervisor: Supervisor, tmp_path: Path) -> None:
    note = "trap 'echo {0} >> order; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    for name in ("first", "second", "third"):
        supervisor.start(ShellProgram(name, note.format(name), tmp_path))
    deadline = time.monotonic() + 5
    while not all((tmp_path / f"{name}.log").read_text() for name in ("first", "second", "third")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["third", "second", "first"]


def test_a_program_that_never_answers_stops_the_start(supervisor: Supervisor, tmp_path: Path) -> None:
    class Silent(ShellProgram):
        start_seconds = 0.3

        def answers(self) -> bool:
            return False

    with pytest.raises(CannotStart, match=r"^silent did not answer within 0 s\. Its log: "):
        supervisor.start(Silent("silent", "exec sleep 60", tmp_path))


def test_a_program_that_ended_during_the_start_is_no_start(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(ShellProgram("steady", "exec sleep 60", tmp_path))
    supervisor.check_all_running()
    supervisor.start(ShellProgram("brief", "echo no such module; exit 1", tmp_path))
    time.sleep(0.3)
    with pytest.raises(CannotStart, match=r"^brief ended at its start \(exit code 1: no such module\)\. Its log: "):
        supervisor.check_all_running()


def test_a_stop_that_comes_during_a_start_waits_until_the_child_is_listed(
    interruption: Interruption, supervisor: Supervisor, tmp_path: Path
) -> None:
    class StopsItself(ShellProgram):
        def spawn(self) -> Child:
            os.kill(os.getpid(), signal.SIGINT)
            self.child = super().spawn()
            return self.child

    program = StopsItself("program", "exec sleep 60", tmp_path)
    with pytest.raises(StopRequested):
        supervisor.start(program)
    assert program.child.exit_code() is None
    supervisor.stop()
    assert program.child.exit_code() == -signal.SIGTERM


def test_nothing_interrupts_a_stop(interruption: Interruption) -> None:
    interruption.ignore_from_now_on()
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    interruption.sleep(0)
