"""The servers of a test run: PostgreSQL, Valkey and a Kafka-protocol broker in a temporary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from paymentsite.stack.children import Child
from paymentsite.stack.kafka import EmbeddedBroker
from paymentsite.stack.postgres import DATABASE, SUPERUSER, PostgresServer
from paymentsite.stack.valkey import ValkeyServer

# How the first process tells the workers that a server is ours to share out, and not one that the caller named.
SHARED_VALKEY = "PAYMENTSITE_TEST_VALKEY"
SHARED_KAFKA = "PAYMENTSITE_TEST_KAFKA"

# Nothing here outlives the run, so nothing has to reach the disk.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "autovacuum": "off",
}


class TestServers:
    """Started by the process that the caller started; the workers of pytest-xdist find them by the environment."""

    __test__ = False

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.children: list[Child] = []
        self.broker: EmbeddedBroker | None = None

    def start(self) -> None:
        """Starts what the caller has not named, and exports where it is."""
        self.folder = Path(tempfile.mkdtemp(prefix="ps-"))
        run = self.folder / "run"
        run.mkdir(mode=0o700)
        os.environ.setdefault("PAYMENTSITE_STATE", str(self.folder / "state"))
        if not os.environ.get("DATABASE_URL") and not os.environ.get("DB_HOST"):
            server = PostgresServer(
                self.folder / "postgres",
                socket_folder=run,
                log=self.folder / "postgres.log",
                settings=POSTGRES_SETTINGS,
            )
            self.children.append(server.start())
            os.environ["DATABASE_URL"] = f"postgresql://{SUPERUSER}@/{DATABASE}?host={run}"
        if not os.environ.get("REDIS_URL") and not os.environ.get("REDIS_HOST"):
            valkey = ValkeyServer(
                self.folder / "valkey", socket_path=run / "v.sock", log=self.folder / "valkey.log", keeps_data=False
            )
            self.children.append(valkey.start())
            os.environ["REDIS_URL"] = os.environ[SHARED_VALKEY] = f"unix://{run / 'v.sock'}"

        self.start_broker()

    def start_broker(self) -> None:
        """A broker of this process alone, so that tests count their own events; none when the caller named one."""
        named = os.environ.get("KAFKA_BROKERS")
        if named and named != os.environ.get(SHARED_KAFKA):
            return
        self.broker = EmbeddedBroker()
        os.environ["KAFKA_BROKERS"] = os.environ[SHARED_KAFKA] = self.broker.address

    def join(self, worker: str) -> None:
        """What one worker of pytest-xdist has for itself: a database number of Valkey, a state folder, a broker."""
        os.environ["PAYMENTSITE_STATE"] = f"{os.environ['PAYMENTSITE_STATE']}/{worker}"
        if SHARED_VALKEY in os.environ:
            os.environ["REDIS_URL"] = f"{os.environ[SHARED_VALKEY]}?db={int(worker.removeprefix('gw')) % 64}"
        self.start_broker()

    def stop(self) -> None:
        for child in reversed(self.children):
            child.ask_to_stop()
        for child in self.children:
            child.wait_until_stopped(seconds=10)
        self.children.clear()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
