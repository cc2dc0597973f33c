"""Child processes: started in a session of their own, ended with their parent, stopped within a time limit."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

PR_SET_PDEATHSIG = 1
FULL_DISK_BYTES = 1_000_000
libc = ctypes.CDLL(None, use_errno=True)


class CannotStart(Exception):
    """Something needed for a start is missing or refused; the message is one line that says what to do."""


class Running(Protocol):
    """What is asked of a running process; subprocess.Popen is one."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...


class Child:
    """A running program, its log file and the signal that asks it to stop."""

    def __init__(self, popen: Running, *, log: Path, stop_signal: signal.Signals) -> None:
        self.popen = popen
        self.log = log
        self.stop_signal = stop_signal

    @property
    def pid(self) -> int:
        return self.popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it, as in subprocess."""
        return self.popen.poll()

    def ask_to_stop(self) -> None:
        if self.exit_code() is None:
            self.popen.send_signal(self.stop_signal)

    def wait_until_stopped(self, *, seconds: float) -> int:
        """The exit code. When the time is over, or when the program left children behind, its group is killed."""
        try:
            return self.popen.wait(max(seconds, 0.01))
        except subprocess.TimeoutExpired:
            self.kill_group()
            return self.popen.wait()
        finally:
            self.kill_group()

    def kill_group(self) -> None:
        """Ends every process of the child's session that is still there."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def log_tail(self, lines: int = 15) -> str:
        return tail(self.log, lines)


def start_child(
    command: Sequence[str | Path],
    *,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    become: Callable[[], None] | None = None,
) -> Child:
    """Starts a program whose output is appended to `log`.

    `become` runs in the child before the program does and may change its user. Call this from the main thread only:
    the kernel ties the child's life to the thread that started it, not to the process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
            preexec_fn=tied_to_parent(stop_signal, become=become),
        )
    return Child(popen, log=log, stop_signal=stop_signal)


def tied_to_parent(stop_signal: signal.Signals, *, become: Callable[[], None] | None = None) -> Callable[[], None]:
    """What a child runs before its program: it will get `stop_signal` when this process dies, even by kill -9."""
    parent = os.getpid()

    def before_the_program() -> None:
        if become is not None:
            become()
        # After the change of user, because that clears the wish.
        libc.prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return before_the_program


def wait_until(ready: Callable[[], bool], child: Child, *, name: str, seconds: float) -> None:
    """Returns when `ready` says so. Raises CannotStart when the child ends first or the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if child.exit_code() is not None:
            raise CannotStart(f"{name} ended at its start ({why_it_ended(child)}); its log is {child.log}")
        if time.monotonic() > deadline:
            raise CannotStart(f"{name} did not answer within {seconds:.0f} s; its log is {child.log}")
        time.sleep(0.02)


def why_it_ended(child: Child) -> str:
    """The exit code and the last line of the log, in one line; a full disk is called by its name."""
    last_lines = child.log_tail(8)
    # On a full disk the log itself may have been impossible to write.
    is_full = shutil.disk_usage(child.log.parent).free < FULL_DISK_BYTES
    if is_full or "No space left on device" in last_lines:
        return "no space left on the disk"
    code = child.exit_code()
    last_line = last_lines.strip().rpartition("\n")[2]
    return f"exit code {code}: {last_line}" if last_line else f"exit code {code}"


def tail(log: Path, lines: int) -> str:
    """The last lines of a log, read from its end so that a long log costs nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 200 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
