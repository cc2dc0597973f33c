"""Children that begin as copies of this process, so that what is imported once is in memory once.

A copy is safe to make as long as this process has one thread and no connection. It becomes its program by taking a
session, a log, an environment and the settings of its role; from there on it runs what `python <arguments>` would run.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from django.conf import settings
from django.db import connections

from paymentsite.stack.children import CannotStart, Child, libc, tied_to_parent

M_ARENA_MAX = -8
ARENAS = 2
LOOK_SECONDS = 0.01
OUTSIDE_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Copy:
    """A copied process with as much of the face of subprocess.Popen as Child looks at."""

    def __init__(self, process: BaseProcess) -> None:
        assert process.pid is not None  # noqa: S101 -- it has been started
        self.pid = process.pid
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired, as Popen does."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(LOOK_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def import_all(modules: Sequence[str]) -> None:
    """Imports what the copies have in common. None of the modules may start a thread or open a connection."""
    libc.mallopt(M_ARENA_MAX, ARENAS)
    for name in modules:
        importlib.import_module(name)


def share() -> None:
    """What is in memory now stays there, for this process and its copies; no connection is left open for them."""
    connections.close_all()
    # What the imports left behind would be copied too.
    gc.collect()
    libc.malloc_trim(0)
    # The collector writes into every object that it looks at, and a page that is written to is shared no longer.
    gc.freeze()


def copy_child(
    arguments: Sequence[str],
    *,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str],
    folder: Path,
) -> Child:
    """Runs `python <arguments>` in a copy of this process; `environment` is all that it gets, `log` has its output.

    Call this from the main thread. Raises CannotStart when there is another one: a copy would wait for ever for the
    locks that it holds.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise CannotStart("This process has more than one thread, so no program can begin as its copy.")
    log.parent.mkdir(parents=True, exist_ok=True)
    tie = tied_to_parent(stop_signal)

    def become_the_program() -> None:
        os.setsid()
        tie()
        _take_log(log)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        _show_as([sys.executable, *arguments])
        read_settings_again()
        for number in OUTSIDE_SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OUTSIDE_SIGNALS)
        _run(list(arguments))

    return Child(_fork(become_the_program), log=log, stop_signal=stop_signal)


def read_settings_again() -> None:
    """Some settings depend on the role, which the environment names. What applications added to them stays."""
    module = importlib.reload(sys.modules[os.environ["DJANGO_SETTINGS_MODULE"]])
    for name in filter(str.isupper, dir(module)):
        setattr(settings, name, getattr(module, name))
    # Django reads DATABASES once, and each connection, none of which is open, what it needs of them.
    for known in connections.all(initialized_only=True):
        del connections[known.alias]
    vars(connections).pop("settings", None)
    connections._settings = None  # type: ignore[attr-defined]


def _fork(run: Callable[[], None]) -> Copy:
    # The handlers of this process must not catch a signal in the copy, before it has put its own in their place.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OUTSIDE_SIGNALS)
    try:
        process = multiprocessing.get_context("fork").Process(target=run)
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Copy(process)


def _take_log(log: Path) -> None:
    with open(os.devnull, "rb") as nothing, log.open("ab") as output:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    # Open as long as the process is.
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def _show_as(command: Sequence[str]) -> None:
    """Writes the command to where `ps` reads it: over the old one, and over the environment's first copy behind it."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[48])
    shown = " ".join(command).encode()[: end - begin - 1]
    ctypes.memset(begin, 0, end - begin)
    ctypes.memmove(begin, shown, len(shown))


def _run(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
