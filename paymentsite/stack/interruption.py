"""Ctrl-C and SIGTERM, turned into one exception that is never raised between a child's start and its listing."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequested(BaseException):
    """Somebody asked the supervisor to stop. Like KeyboardInterrupt, no `except Exception` swallows it."""


class Interruption:
    """Installed once, in the main thread. After `ignore_from_now_on` nothing interrupts the clean stop."""

    def __init__(self) -> None:
        self._shielded = False
        self._pending = False
        self._ignored = False
        self._is_left = False
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def install(self) -> None:
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        # With a handler, a child's death wakes `sleep`; without one it would pass unnoticed until the next look.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # What wakes this process is not for its copies.
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def _leave_to_parent(self) -> None:
        if not self._is_left:
            self._is_left = True
            signal.set_wakeup_fd(-1)
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Inside, a request to stop waits until the end of the block."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False
        if self._pending:
            raise StopRequested

    def ignore_from_now_on(self) -> None:
        self._ignored = True

    def sleep(self, seconds: float) -> None:
        """Until the time is over or any signal comes, whichever is first."""
        select.select([self._wake_reader], [], [], seconds)
        try:
            os.read(self._wake_reader, 4096)
        except BlockingIOError:
            return

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._ignored:
            return
        self._pending = True
        if not self._shielded:
            raise StopRequested
