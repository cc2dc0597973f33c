"""The whole product as real processes on loopback, in a folder of its own, to be hurt: kill -9, hang, away for long.

`manage.py up` runs it and brings back what dies. PostgreSQL and Valkey can be the test's own instead, for cases in
which they stay away. Everything is durable: an acknowledged payment must outlive whatever is done to a process.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from paymentsite.stack.children import Child, start_child
from paymentsite.stack.folders import StateFolder
from paymentsite.stack.postgres import DATABASE, SUPERUSER, PostgresServer
from paymentsite.stack.valkey import ValkeyServer
from tests.faults.test_supervisor import CHECKOUT, NOT_PASSED_ON, free_port, running, stat_fields, wait_for
from tests.payments.webhooks import ADDRESS, signed

START_SECONDS = 120
STOP_SECONDS = 30
ANSWER_SECONDS = 30
MOST_CONNECTIONS = 60
DISK_MEGABYTES = 512
# How each process is known by its command line.
VICTIMS = {
    "web": "paymentsite.wsgi:application",
    "worker": "run_worker",
    "relay": "relay_outbox",
    "PostgreSQL": "/postgres\0-D\0",
    "Valkey": "valkey-server",
    "broker": "mockkafka",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "64MB"}
ENVIRONMENT = {"STAGING_INTERVAL_SECONDS": "1", "DB_POOL_MIN": "2", "DB_POOL_MAX": "10", "LOG_LEVEL": "warning"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender got for a webhook: the status (0 when the connection broke), the body, the seconds it took."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    seconds: float


class Site:
    """Up between entering and leaving. `own` names the servers that the test runs and the supervisor does not.

    With `disk_megabytes` the tables are on a disk of that size, where this user may mount one: see `disk`.
    """

    def __init__(
        self,
        *,
        own: tuple[str, ...] = (),
        postgres: dict[str, str] | None = None,
        disk_megabytes: int = 0,
        **environment: str,
    ) -> None:
        self.own = own
        self.disk_megabytes = disk_megabytes
        # The folder of the small disk, once it is mounted.
        self.disk: Path | None = None
        self.postgres_settings = DURABLE | (postgres or {})
        self.wanted = ENVIRONMENT | environment
        self.port = free_port()

    def __enter__(self) -> Site:
        self._folder = tempfile.TemporaryDirectory(prefix="ps-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        # PostgreSQL runs as a user of its own below a folder of ours.
        self.folder.chmod(0o755)
        self.state = StateFolder(self.folder / "state")
        self.children: dict[str, Child] = {}
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    # Asking it

    def post(self, notice: dict[str, Any], *, webhook_id: str) -> Answer:
        """Posts one signed notice, as a sender does; never raises for a connection that breaks."""
        body = json.dumps(notice).encode()
        headers = {"Content-Type": "application/json", **signed(body, webhook_id=webhook_id, key=self.webhook_key)}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        began = time.monotonic()
        try:
            connection.request("POST", ADDRESS, body, headers)
            response = connection.getresponse()
            content = json.loads(response.read())
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, content, received, time.monotonic() - began)
        except (OSError, http.client.HTTPException, ValueError):
            return Answer(0, {}, {}, time.monotonic() - began)
        finally:
            connection.close()

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.run_folder), user=SUPERUSER, dbname=DATABASE, autocommit=True, connect_timeout=5
        )

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connect() as session:
            return session.execute(statement.encode(), values).fetchall()

    def number(self, statement: str, *values: Any) -> int:
        return int(self.rows(statement, *values)[0][0])

    def wait_until(self, condition: Callable[[], bool], *, seconds: float, what: str) -> float:
        """The seconds that it took; while PostgreSQL is away, the condition is not met."""
        began = time.monotonic()

        def met() -> bool:
            try:
                return condition()
            except psycopg.OperationalError:
                return False

        assert wait_for(met, seconds), f"{what}: not within {seconds} s\n{self.printed()}"
        return time.monotonic() - began

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`manage.py` with the site's environment, to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_SECONDS * 4,
        )

    # Hurting it

    def pids_of(self, victim: str) -> list[int]:
        """Its processes, the first one first."""
        mark = VICTIMS[victim].encode()
        found = [pid for pid in self._descendants() if mark in _command_line(pid) + b"\0"]
        return sorted(found, key=lambda pid: int(stat_fields(pid)[0] or 0))

    def kill(self, victim: str) -> None:
        """SIGKILL for the program's first process; its children end as they do in life."""
        self._kill_one(victim, lambda: self.pids_of(victim)[:1])

    def kill_request_process(self) -> None:
        """SIGKILL for the process below the web server's first one, which answers the requests."""
        self._kill_one("request process", lambda: self.pids_of("web")[1:])

    def kill_a_backend(self) -> None:
        """SIGKILL for one session's process of PostgreSQL, upon which the server ends all and recovers."""
        sessions = "select pid from pg_stat_activity where application_name like 'paymentsite-web%%' order by pid"
        self._kill_one("a session", lambda: [pid for (pid,) in self.rows(sessions)])

    def _kill_one(self, what: str, candidates: Callable[[], list[int]]) -> None:
        """The first candidate, as soon as there is one: it may just be on its way back from the kill before."""

        def killed() -> bool:
            for pid in candidates():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return True
            return False

        self.wait_until(killed, seconds=STOP_SECONDS, what=f"{what} runs")

    def freeze(self, victim: str) -> list[int]:
        """SIGSTOP for the program and all below it: alive, connected, and silent."""
        group = _with_descendants(self.pids_of(victim)[0])
        for pid in group:
            os.kill(pid, signal.SIGSTOP)
        return group

    def thaw(self, group: list[int]) -> None:
        for pid in group:
            os.kill(pid, signal.SIGCONT)

    def stop_own(self, name: str) -> None:
        """kill -9 for a server of the test's own, which stays away until start_own()."""
        child = self.children.pop(name)
        child.kill_group()
        child.popen.wait()

    def start_own(self, name: str) -> None:
        self.children[name] = self.programs[name].start()

    def start_another(self, role: str, *arguments: str) -> None:
        """One more process of a kind that is running already, until the site ends."""
        self.children[f"another {role}"] = start_child(
            [sys.executable, "manage.py", *arguments],
            log=self.folder / f"{role}.log",
            environment=self.environment() | {"PAYMENTSITE_ROLE": role, "C_FORCE_ROOT": "1"},
            folder=CHECKOUT,
        )

    # Its start and end

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        own = {"PAYMENTSITE_STATE": str(self.state.path), "PORT": str(self.port), "NODE_ENV": "development"}
        if "PostgreSQL" in self.own:
            own["DATABASE_URL"] = f"postgresql://{SUPERUSER}@/{DATABASE}?host={self.run_folder}"
        if "Valkey" in self.own:
            own["REDIS_URL"] = f"unix://{self.folder / 'run' / 'v.sock'}"
        return inherited | own | self.wanted

    @property
    def run_folder(self) -> Path:
        """Of PostgreSQL's socket."""
        return self.folder / "run" if "PostgreSQL" in self.own else self.state.run_folder

    def printed(self) -> str:
        output = self.folder / "up.out"
        return output.read_text()[-3000:] if output.exists() else ""

    def _start(self) -> None:
        run = self.folder / "run"
        run.mkdir(mode=0o700)
        self.programs: dict[str, PostgresServer | ValkeyServer] = {
            "PostgreSQL": PostgresServer(
                self.folder / "postgres",
                socket_folder=run,
                log=self.folder / "postgres.log",
                settings=self.postgres_settings,
            ),
            "Valkey": ValkeyServer(self.folder / "valkey", socket_path=run / "v.sock", log=self.folder / "valkey.log"),
        }
        for name in self.own:
            self.start_own(name)
        if self.disk_megabytes:
            self._put_tables_on_small_disk()
        with (self.folder / "up.out").open("w") as output:
            self.supervisor = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=CHECKOUT,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert wait_for(
            lambda: "paymentsite is running." in self.printed() or self.supervisor.poll() is not None, START_SECONDS
        ), self.printed()
        assert self.supervisor.poll() is None, self.printed()
        secret = self.state.demo_webhook_secret_file.read_text().strip()
        self.webhook_key = _key_of(secret)

    def _put_tables_on_small_disk(self) -> None:
        """A tmpfs as the database's tablespace; the log of its changes stays on the disk where it is."""
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self.disk_megabytes}m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            return
        self.disk = disk
        server = self.programs["PostgreSQL"]
        assert isinstance(server, PostgresServer)
        os.chown(disk, server.identity.owner, -1)
        disk.chmod(0o700)
        with psycopg.connect(host=str(self.run_folder), user=SUPERUSER, dbname="postgres", autocommit=True) as session:
            session.execute(f"create tablespace small location '{disk}'".encode())
            session.execute(f"alter database {DATABASE} set tablespace small".encode())

    def _stop(self) -> None:
        supervisor = getattr(self, "supervisor", None)
        if supervisor is not None and supervisor.poll() is None:
            below = _with_descendants(supervisor.pid)
            self.thaw([pid for pid in below if _is_stopped(pid)])
            supervisor.terminate()
            try:
                supervisor.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                supervisor.wait()
        for child in self.children.values():
            child.kill_group()
            child.popen.wait()
        if self.disk is not None:
            subprocess.run(["umount", str(self.disk)], capture_output=True, check=True)
        self._folder.cleanup()

    def _descendants(self) -> list[int]:
        roots = [self.supervisor.pid, *(child.pid for child in self.children.values())]
        return [pid for root in roots for pid in _with_descendants(root)]


def _with_descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in running():
        children.setdefault(stat_fields(pid)[1], []).append(pid)
    found, waiting = [root], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def _key_of(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))
