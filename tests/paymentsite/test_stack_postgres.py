"""The embedded PostgreSQL on folders that something happened to."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from paymentsite.stack.children import CannotStart
from paymentsite.stack.identity import give_folder, identity_for_postgres
from paymentsite.stack.postgres import DATABASE, SUPERUSER, PostgresServer


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """On a short path, because a socket's path may have 107 bytes only."""
    with tempfile.TemporaryDirectory(prefix="ps-") as name:
        folder = Path(name)
        (folder / "run").mkdir(mode=0o700)
        quick = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}
        yield PostgresServer(folder / "data", socket_folder=folder / "run", log=folder / "postgres.log", settings=quick)


def count_of_tables(server: PostgresServer) -> int:
    with psycopg.connect(host=str(server.socket_folder), user=SUPERUSER, dbname=DATABASE) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        return int(row[0]) if row else -1


def test_data_survives_a_killed_server_and_a_pid_file_that_names_a_stranger(server: PostgresServer) -> None:
    # Half of a data folder, as a start leaves it that was cut short in initdb.
    server.data.with_name("data.new").mkdir()
    (server.data.with_name("data.new") / "PG_VERSION").write_text("18\n")
    first = server.start()
    with psycopg.connect(host=str(server.socket_folder), user=SUPERUSER, dbname=DATABASE) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    assert not server.data.with_name("data.new").exists()
    first.popen.send_signal(signal.SIGKILL)
    first.wait_until_stopped(seconds=5)
    pid_file = server.data / "postmaster.pid"
    # Numbers come back: this process, which is no PostgreSQL, has the one that the file names.
    pid_file.write_text("\n".join([str(os.getpid()), *pid_file.read_text().split("\n")[1:]]))

    second = server.start()
    try:
        assert count_of_tables(server) == 1
    finally:
        second.ask_to_stop()
        assert second.wait_until_stopped(seconds=10) == 0


def test_a_server_that_outlived_its_supervisor_is_ended_before_the_next(server: PostgresServer) -> None:
    orphan = server.start()
    second = server.start()
    try:
        assert orphan.exit_code() == 0
        assert count_of_tables(server) == 0
    finally:
        second.ask_to_stop()
        assert second.wait_until_stopped(seconds=10) == 0


def test_data_of_another_version_is_refused_in_one_line(server: PostgresServer) -> None:
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(CannotStart, match=r"was made by PostgreSQL 15 and the program in .* is \d+: set PG_BIN"):
        server.start()
    assert sorted(path.name for path in server.data.iterdir()) == ["PG_VERSION"]


def test_initdb_that_fails_leaves_nothing_behind(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = server.data.parent / "bin"
    broken.mkdir()
    for name in ("initdb", "postgres"):
        (broken / name).write_text("#!/bin/sh\necho 'initdb: error: No space left on device' >&2; exit 1\n")
        (broken / name).chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(broken))
    with pytest.raises(CannotStart, match=r"could not be made: no space left on the disk$"):
        server.start()
    assert not server.data.exists()
    assert not server.data.with_name("data.new").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_given_to_another_user_is_given_with_everything_below(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "1").touch()
    (folder / "link").symlink_to(tmp_path)
    give_folder(folder, owner=12345)
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {12345}
    assert tmp_path.stat().st_uid == 0
    give_folder(folder, owner=0)
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {0}


def test_files_belong_to_whoever_runs_us_unless_root_must_become_another() -> None:
    identity = identity_for_postgres()
    assert identity.owner == os.geteuid() or os.geteuid() == 0
    assert (identity.become is None) == (os.geteuid() != 0)
