"""The embedded Valkey: broker of the jobs and optional cache, on a unix socket."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from paymentsite.stack.binaries import valkey_server
from paymentsite.stack.children import Child, start_child
from paymentsite.stack.programs import Program


class ValkeyServer(Program):
    """One data folder and the server on it. `socket_path` must be short: see StateFolder.run_folder."""

    name = "Valkey"
    start_seconds = 15

    def __init__(self, data: Path, *, socket_path: Path, log: Path, keeps_data: bool = True) -> None:
        self.data = data
        self.socket_path = socket_path
        self.log = log
        self.keeps_data = keeps_data

    def prepare(self) -> None:
        """A socket left by a killed server is removed; whether a live one stands behind it, the start lock knows."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket_path.unlink(missing_ok=True)

    def spawn(self) -> Child:
        return start_child(self._command(), log=self.log, stop_signal=signal.SIGTERM)

    def answers(self) -> bool:
        """True when the server has loaded its data; it says LOADING before."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def _command(self) -> list[str | Path]:
        return [
            valkey_server(),
            *("--port", "0"),
            *("--unixsocket", self.socket_path),
            *("--unixsocketperm", "700"),
            *("--dir", self.data),
            *("--appendonly", "yes" if self.keeps_data else "no"),
            *("--save", ""),
            *("--databases", "64"),
            # Jobs must never be evicted; a full memory is an error that the publisher sees.
            *("--maxmemory-policy", "noeviction"),
        ]
