"""Where a benchmark runs: its own PostgreSQL and Valkey, and for every run a fresh copy of a template database."""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from paymentsite.stack.binaries import postgres_major
from paymentsite.stack.children import Child
from paymentsite.stack.postgres import SUPERUSER, PostgresServer
from paymentsite.stack.valkey import ValkeyServer

DATABASE = "bench"
TEMPLATE = "bench_template"
POSTGRES_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "jit": "off",
    # Its moments would fall on one run and not on its neighbour.
    "autovacuum": "off",
}


def free_port() -> int:
    """Below the ports that the system gives to outgoing connections, so that it stays free between two runs."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("No port between 20000 and 30000 is free.")


class Stand:
    """Starts on entering, is gone without a trace on leaving. Django is set up on its database in between."""

    def __init__(self, *, is_small: bool = False) -> None:
        self.settings = POSTGRES_SETTINGS | ({"shared_buffers": "128MB"} if is_small else {})
        self.children: list[Child] = []

    def __enter__(self) -> Stand:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.run_folder = self.folder / "run"
        self.run_folder.mkdir(mode=0o700)
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _start(self) -> None:
        self.postgres = PostgresServer(
            self.folder / "postgres",
            socket_folder=self.run_folder,
            log=self.folder / "postgres.log",
            settings=self.settings,
        )
        self.postgres_child = self.postgres.start()
        self.children.append(self.postgres_child)
        valkey = ValkeyServer(
            self.folder / "valkey",
            socket_path=self.run_folder / "v.sock",
            log=self.folder / "valkey.log",
            keeps_data=False,
        )
        self.children.append(valkey.start())
        self.set_environment()
        self._administer(f"create database {TEMPLATE}", f"create database {DATABASE}")
        # Django is imported by now, its settings are not: they are read on first use, with these variables.
        import django

        django.setup()

    def _stop(self) -> None:
        for child in reversed(self.children):
            child.ask_to_stop()
        for child in self.children:
            child.wait_until_stopped(seconds=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def set_environment(self) -> None:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "paymentsite.settings",
            "PAYMENTSITE_STATE": str(self.folder / "state"),
            "DATABASE_URL": f"postgresql://{SUPERUSER}@/{DATABASE}?host={self.run_folder}",
            "REDIS_URL": f"unix://{self.run_folder / 'v.sock'}",
            "NODE_ENV": "development",
            "PORT": str(free_port()),
        }

    def description(self) -> str:
        """What the figures were measured on, in one line and without names."""
        memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
        return (
            f"{os.cpu_count()} shared cores, {memory_kb // 1024**2} GB, "
            f"PostgreSQL {postgres_major(self.postgres.bin)}, "
            + ", ".join(f"{name} {value}" for name, value in self.settings.items())
        )

    def make_template(self, fill: Callable[[], None], *, template: str = TEMPLATE) -> None:
        """Migrates a fresh database, lets `fill` put into it what every run begins with, and keeps it as template."""
        from django.core.management import call_command

        # The benchmark before may have left it in use.
        self.disconnect()
        self._administer(f"drop database if exists {DATABASE} with (force)", f"create database {DATABASE}")
        call_command("migrate", verbosity=0)
        fill()
        self.disconnect()
        self._administer(
            f"drop database if exists {template} with (force)",
            f"alter database {DATABASE} rename to {template}",
        )

    def drop_template(self, template: str) -> None:
        """Gives its disk space back."""
        self._administer(f"drop database if exists {template} with (force)")

    def fresh_database(self, *, template: str = TEMPLATE) -> None:
        """The database as the template is, and a checkpoint behind it."""
        self.disconnect()
        self._administer(
            f"drop database if exists {DATABASE} with (force)",
            f"create database {DATABASE} template {template} strategy file_copy",
            "checkpoint",
        )

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(host=str(self.run_folder), user=SUPERUSER, dbname=DATABASE, autocommit=True)

    def disconnect(self) -> None:
        from django.db import connection

        connection.close()

    def _administer(self, *statements: str) -> None:
        with psycopg.connect(
            host=str(self.run_folder), user=SUPERUSER, dbname="postgres", autocommit=True
        ) as administration:
            for statement in statements:
                administration.execute(statement)
