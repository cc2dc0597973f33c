"""What a program of the stack is to the supervisor, and the programs that are our own commands."""

from __future__ import annotations

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paymentsite.stack.children import Child, start_child, wait_until
from paymentsite.stack.forking import copy_child


class Program:
    """Something that the supervisor keeps running. Subclasses say how; what they leave out needs nothing."""

    name: str
    start_seconds: float = 30
    stop_seconds: float = 3

    def prepare(self) -> None:
        """Makes what the program needs before each start. May take long and may be interrupted."""

    def spawn(self) -> Child:
        """Starts the program and returns at once."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it is ready to be used."""
        return True

    def finish(self) -> None:
        """What is left to do when it answers for the first time."""

    def start(self) -> Child:
        """All of it, in order: the child, ready to be used. Raises CannotStart when it does not come up."""
        self.prepare()
        child = self.spawn()
        try:
            wait_until(self.answers, child, name=self.name, seconds=self.start_seconds)
            self.finish()
        except BaseException:
            child.ask_to_stop()
            child.wait_until_stopped(seconds=self.stop_seconds)
            raise
        return child


class OwnProgram(Program):
    """One of our own long-running commands, with its role and the folder of the checkout."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        *,
        folder: Path,
        log_folder: Path,
        environment: Mapping[str, str],
        role: str | None = None,
        stop_seconds: float = 4,
        as_copy: bool = False,
    ) -> None:
        """With `as_copy` it begins as a copy of this process, which must be fit for that (see forking)."""
        self.name = name
        self.role = role or name
        self.arguments = arguments
        self.folder = folder
        self.log = log_folder / f"{name}.log"
        self.environment = environment
        self.stop_seconds = stop_seconds
        self.as_copy = as_copy

    def spawn(self) -> Child:
        environment = {**os.environ, **self.environment, "PAYMENTSITE_ROLE": self.role}
        if self.as_copy:
            return copy_child(self.arguments, log=self.log, environment=environment, folder=self.folder)
        return start_child(
            [sys.executable, *self.arguments],
            log=self.log,
            stop_signal=signal.SIGTERM,
            environment=environment,
            folder=self.folder,
        )


class WebProgram(OwnProgram):
    """The web process, which is up when it says that it lives."""

    start_seconds = 60

    def __init__(self, arguments: list[str], *, live_url: str, host: str, **options: Any) -> None:
        super().__init__("web", arguments, **options)
        self.live_url = live_url
        self.host = host

    def answers(self) -> bool:
        request = urllib.request.Request(self.live_url, headers={"Host": self.host})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
