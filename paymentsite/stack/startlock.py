"""One supervisor per state folder, and one listener per port: both are checked before anything is started."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from paymentsite.stack.children import CannotStart


class StartLock:
    """Held from `take` until the process ends, however it ends; the kernel gives it back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self, *, port: int) -> bool:
        """Whether the holder before us ended without giving it back, so that its children may still be ending.

        Raises CannotStart with the holder's number and address when somebody has it.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            raise CannotStart(
                f"Already running on the folder {self.path.parent} ({holder or 'just starting'}). To run a second one"
                f" beside it, give it another folder and port: PAYMENTSITE_STATE=/some/folder PORT={port + 1} ./run"
            ) from None
        was_left_behind = os.fstat(descriptor).st_size > 0
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"pid {os.getpid()}, http://localhost:{port}".encode())
        self._descriptor = descriptor
        # A copy of this process must not keep the lock when this one is gone.
        os.register_at_fork(after_in_child=self._leave_to_parent)
        return was_left_behind

    def _leave_to_parent(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def check_port(port: int, *, patience_seconds: float = 0) -> None:
    """Raises CannotStart when the port of 127.0.0.1 cannot be listened on, not even after so much patience."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            return
        except PermissionError:
            raise CannotStart(f"Port {port} is for root only; choose another: PORT=3005 ./run") from None
        except OSError:
            if time.monotonic() >= deadline:
                raise CannotStart(
                    f"Port {port} is in use. Stop what listens there, or choose another: PORT={port + 1} ./run"
                ) from None
        time.sleep(0.1)
