"""Programs that begin as copies: they get what a fresh process would get, and nothing of their parent's."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paymentsite.stack.children import CannotStart
from paymentsite.stack.composition import SHARED_MODULES
from paymentsite.stack.forking import copy_child
from tests.architecture.sources import ROOT

# What runs in the copy: it says how it finds itself, and ends as it is told.
PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
from django.conf import settings
from django.db import connection
print(json.dumps({
    "argv": sys.argv,
    "name": __name__,
    "pid": os.getpid(),
    "session": os.getsid(0),
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "role": settings.ROLE,
    "has_pool": "pool" in connection.settings_dict["OPTIONS"],
    "application_name": connection.settings_dict["OPTIONS"]["application_name"],
    "is_shared": "paymentsite.urls" in sys.modules,
    "terminates": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "open": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                   if os.path.exists(f"/proc/self/fd/{fd}") and int(fd) > 2),
    "shown": Path("/proc/self/cmdline").read_bytes().decode().strip("\\0"),
}), flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""
# What the supervisor is to its programs; the test tells it by its input when to go on.
PARENT = """
import os, sys
from pathlib import Path
import django
django.setup()
from paymentsite.stack.forking import copy_child, import_all, share
from paymentsite.stack.interruption import Interruption
from paymentsite.stack.startlock import StartLock
folder = Path(sys.argv[1])
Interruption().install()
StartLock(folder / "lock").take(port=1)
import_all(["paymentsite.urls"])
share()
child = copy_child(
    [str(folder / "program.py"), sys.argv[2]],
    log=folder / "program.log",
    environment={**os.environ, "PAYMENTSITE_ROLE": "web", "GIVEN": "yes"},
    folder=folder,
)
print(child.pid, flush=True)
sys.stdin.readline()
child.ask_to_stop()
print(child.wait_until_stopped(seconds=5), flush=True)
"""


class Parent:
    def __init__(self, folder: Path, word: str) -> None:
        (folder / "program.py").write_text(PROGRAM)
        self.log = folder / "program.log"
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder), word],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "paymentsite.settings", "PAYMENTSITE_ROLE": "command"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        self.child = int(self.popen.stdout.readline())

    def said(self) -> dict[str, object]:
        assert wait_for(lambda: self.log.exists() and self.log.read_text().endswith("}\n")), self.log.read_text()
        found: dict[str, object] = json.loads(self.log.read_text())
        return found

    def let_it_stop_the_child(self) -> int:
        out, _ = self.popen.communicate("\n", timeout=20)
        assert self.popen.returncode == 0
        return int(out)


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_copy_is_what_a_fresh_process_would_be(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "wait")
    said = parent.said()
    assert parent.let_it_stop_the_child() == -signal.SIGTERM
    program = str(tmp_path / "program.py")

    assert (said["argv"], said["name"], said["folder"]) == ([program, "wait"], "__main__", str(tmp_path))
    assert said["pid"] == said["session"] == parent.child
    assert said["environment"]["GIVEN"] == "yes"  # type: ignore[index]
    assert said["shown"] == f"{sys.executable} {program} wait"
    assert said["terminates"] is True
    assert said["blocked"] == []


def test_a_copy_has_the_settings_of_its_role_and_the_imports_of_its_parent(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "wait")
    said = parent.said()
    parent.let_it_stop_the_child()

    assert (said["role"], said["has_pool"], said["application_name"]) == ("web", True, "paymentsite-web")
    assert said["is_shared"] is True


def test_a_copy_holds_neither_the_lock_nor_the_wake_up_of_its_parent(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "wait")
    opened = parent.said()["open"]
    assert isinstance(opened, list)
    assert str(tmp_path / "lock") not in opened
    with (tmp_path / "lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        parent.popen.kill()
        parent.popen.wait()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert wait_for(lambda: not is_running(parent.child))


def test_the_exit_code_of_a_copy_is_that_of_its_program(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "7")
    assert wait_for(lambda: not is_running(parent.child))
    assert parent.let_it_stop_the_child() == 7


def test_a_process_with_several_threads_is_not_copied(tmp_path: Path) -> None:
    # The test run's own broker has threads.
    assert len(os.listdir("/proc/self/task")) > 1
    with pytest.raises(CannotStart, match="more than one thread"):
        copy_child(["x.py"], log=tmp_path / "log", environment={}, folder=tmp_path)
    assert not (tmp_path / "log").exists()


def test_what_programs_share_starts_no_thread_and_opens_no_connection() -> None:
    program = (
        "import os, sys, django; django.setup()\n"
        "from paymentsite.stack.forking import import_all\n"
        "import_all(sys.argv[1:])\n"
        "from django.db import connections\n"
        "sockets = [fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')\n"
        "           and os.readlink(f'/proc/self/fd/{fd}').startswith('socket')]\n"
        "print(len(os.listdir('/proc/self/task')), len(sockets), connections['default'].connection)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, *SHARED_MODULES],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "paymentsite.settings"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == ["1", "0", "None"]
