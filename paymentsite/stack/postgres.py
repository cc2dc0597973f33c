"""The embedded PostgreSQL: made on first use, reached by a unix socket only, stopped without losing a row."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from paymentsite.stack.binaries import postgres_bin, postgres_major
from paymentsite.stack.children import CannotStart, Child, start_child, tied_to_parent
from paymentsite.stack.identity import Identity, give_folder, identity_for_postgres
from paymentsite.stack.programs import Program

DATABASE = "paymentsite"
SUPERUSER = "postgres"
ORPHAN_SECONDS = 20
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "jit": "off",
}


class PostgresServer(Program):
    """One data folder and the server on it. `socket_folder` must be short: see StateFolder.run_folder."""

    name = "PostgreSQL"
    start_seconds = 60
    stop_seconds = 15

    def __init__(self, data: Path, *, socket_folder: Path, log: Path, settings: dict[str, str] | None = None) -> None:
        self.data = data
        self.socket_folder = socket_folder
        self.log = log
        self.settings = SETTINGS | {"unix_socket_directories": str(socket_folder)} | (settings or {})
        self._bin: Path | None = None
        self._identity: Identity | None = None

    @property
    def bin(self) -> Path:
        self._bin = self._bin or postgres_bin()
        return self._bin

    @property
    def identity(self) -> Identity:
        self._identity = self._identity or identity_for_postgres()
        return self._identity

    def prepare(self) -> None:
        """Makes the data folder when missing, and checks that this program may run on it.

        Raises CannotStart when there is no usable program or when another major version made the data.
        """
        self._make_data_folder()
        self._check_version()
        self._end_what_was_left_behind()
        give_folder(self.data, owner=self.identity.owner)

    def spawn(self) -> Child:
        settings = [part for name, value in self._all_settings().items() for part in ("-c", f"{name}={value}")]
        return start_child(
            [self.bin / "postgres", "-D", self.data, *settings],
            log=self.log,
            stop_signal=signal.SIGINT,
            folder=Path("/"),
            become=self.identity.become,
        )

    def answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_folder), user=SUPERUSER, dbname=database, connect_timeout=5, autocommit=True
        )

    def _make_data_folder(self) -> None:
        """A data folder cut short half-way is thrown away: it gets its name only when initdb has finished."""
        if (self.data / "PG_VERSION").is_file():
            return
        draft = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        os.chown(draft, self.identity.owner, self.identity.owner if os.geteuid() == 0 else -1)
        command: list[str | Path] = [
            self.bin / "initdb",
            "-D",
            draft,
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        made = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            stdin=subprocess.DEVNULL,
            check=False,
            preexec_fn=tied_to_parent(signal.SIGTERM, become=self.identity.become),
        )
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise CannotStart(f"PostgreSQL's data folder {self.data} could not be made: {_reason(made.stderr)}")
        draft.rename(self.data)

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        ours = postgres_major(self.bin)
        if made_by != str(ours):
            raise CannotStart(
                f"The data in {self.data} was made by PostgreSQL {made_by} and the program in {self.bin} is {ours}:"
                f" set PG_BIN to the programs of version {made_by}, or PAYMENTSITE_STATE to another folder."
            )

    def _end_what_was_left_behind(self) -> None:
        """After kill -9 of the supervisor its PostgreSQL may still be shutting down; let it finish.

        A pid file that names a living stranger (numbers come back, above all in containers) is removed, as the
        server would take the stranger for itself.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        deadline = time.monotonic() + ORPHAN_SECONDS
        while self._is_our_server(pid) and time.monotonic() < deadline:
            os.kill(pid, signal.SIGINT)
            time.sleep(0.2)
        if _is_alive(pid) and not self._is_our_server(pid):
            pid_file.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        try:
            return str(self.data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False

    def _all_settings(self) -> dict[str, str]:
        configured = _pg_config(self.bin, "--configure")
        library_folder = Path(_pg_config(self.bin, "--pkglibdir") or self.bin.parent / "lib")
        optional = {"wal_compression": "lz4" if "--with-lz4" in configured else "on"}
        if (library_folder / "pg_stat_statements.so").exists():
            optional["shared_preload_libraries"] = "pg_stat_statements"
        return optional | self.settings

    def finish(self) -> None:
        """Makes the database on the first start."""
        with self._connect("postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def _pg_config(folder: Path, question: str) -> str:
    try:
        return subprocess.run(
            [folder / "pg_config", question], capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        return ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reason(errors: str) -> str:
    if "No space left on device" in errors:
        return "no space left on the disk"
    lines = [line for line in errors.splitlines() if "error" in line.lower() or "fatal" in line.lower()]
    return (lines or errors.strip().splitlines() or ["initdb said nothing"])[-1]
