"""Children end when they are asked, when they must, and with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paymentsite.stack.children import Child, start_child, tail, tied_to_parent, why_it_ended

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import sys, time
from pathlib import Path
from paymentsite.stack.children import start_child
child = start_child(["sleep", "60"], log=Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def start_python(code: str, log: Path) -> Child:
    return start_child([sys.executable, "-c", code], log=log)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_is_asked_ends_by_its_stop_signal(tmp_path: Path) -> None:
    child = start_child(["sleep", "60"], log=tmp_path / "log")
    child.ask_to_stop()
    assert child.wait_until_stopped(seconds=5) == -signal.SIGTERM


def test_a_deaf_child_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    child = start_python(DEAF, tmp_path / "log")
    assert wait_for(lambda: "ready" in tail(tmp_path / "log", 1))
    child.ask_to_stop()
    assert child.wait_until_stopped(seconds=0.2) == -signal.SIGKILL


def test_what_a_child_leaves_behind_in_its_session_is_killed(tmp_path: Path) -> None:
    child = start_child(["sh", "-c", "sleep 60 & echo $!"], log=tmp_path / "log")
    assert child.wait_until_stopped(seconds=5) == 0
    grandchild = int(tail(tmp_path / "log", 1))
    assert wait_for(lambda: not is_running(grandchild))


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    assert wait_for(lambda: not is_running(child))


def test_a_child_whose_parent_is_gone_already_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    before_the_program = tied_to_parent(signal.SIGTERM)
    child = os.fork()
    if child == 0:
        # What a child sees whose parent died between the fork and this look: another parent.
        monkeypatch.setattr(os, "getppid", lambda: 1)
        before_the_program()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("one\ntwo\n", "exit code 3: two"),
        ("", "exit code 3"),
        ("FATAL: could not write: No space left on device\nshutting down\n", "no space left on the disk"),
    ],
)
def test_the_reason_of_an_end_is_one_line(tmp_path: Path, said: str, expected: str) -> None:
    child = start_child(["sh", "-c", 'printf "%s" "$1"; exit 3', "sh", said], log=tmp_path / "log")
    child.wait_until_stopped(seconds=5)
    assert why_it_ended(child) == expected


def test_the_tail_of_a_long_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert tail(log, 2) == "line 99998\nline 99999"
    assert tail(tmp_path / "missing", 2) == ""
