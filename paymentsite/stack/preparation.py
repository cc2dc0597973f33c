"""What a start makes ready in the database and on disk. Each step is cheap when there is nothing to do."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from kernel.checks import zones_agree
from paymentsite.stack.folders import StateFolder

STAFF_USERNAME = "admin"
STATIC_STAMP = ".collected"


def prepare(state: StateFolder, *, say: Callable[[str], None]) -> None:
    """Everything between "the servers answer" and "the programs can start"; `say` takes a line per step."""
    migrate(state, say=say)
    tell_of_zones(say=say)
    call_command("partitions", verbosity=0)
    call_command("sync_roles", verbosity=0)
    call_command("install_schedule", verbosity=0)
    make_staff_user(state)
    load_demo_once(state, say=say)
    collect_static_once(state, say=say)


def migrate(state: StateFolder, *, say: Callable[[str], None]) -> None:
    """Brings the schema up to date. A database that was empty is marked to get the demo data."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        return
    if not executor.loader.applied_migrations and settings.MODE != "production":
        state.demo_wanted_file.touch()
    say(f"Migrating the database ({len(waiting)} migrations)")
    call_command("migrate", interactive=False, verbosity=0)


def tell_of_zones(*, say: Callable[[str], None]) -> None:
    """Says when PostgreSQL's zone rules are not ours. `migrate` inside a program skips the checks that would."""
    for warning in zones_agree(None, databases=["default"]):
        say(f"Warning: {warning.msg} {warning.hint}")


def make_staff_user(state: StateFolder) -> None:
    """The first person: a generated password, kept in the state folder until somebody chooses another."""
    users = get_user_model()._default_manager
    known = users.filter(username=STAFF_USERNAME).first()
    if known is None:
        password = secrets.token_urlsafe(12)
        write_secret(state.staff_password_file, password)
        users.create_superuser(username=STAFF_USERNAME, email="", password=password)
    elif not known.check_password(read_secret(state.staff_password_file) or ""):
        state.staff_password_file.unlink(missing_ok=True)


def load_demo_once(state: StateFolder, *, say: Callable[[str], None]) -> None:
    """The mark goes when the data is in, so that a start cut short loads it the next time."""
    if not state.demo_wanted_file.exists():
        return
    say("Loading the demo data")
    call_command("load_demo", verbosity=0)
    state.demo_wanted_file.unlink()


def collect_static_once(state: StateFolder, *, say: Callable[[str], None]) -> None:
    """Copies the static files when one of them was added, removed or changed since the last time."""
    stamp = state.static_folder / STATIC_STAMP
    current = static_files_digest()
    if stamp.is_file() and stamp.read_text() == current:
        return
    say("Collecting static files")
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(current)


def static_files_digest() -> str:
    """A digest over path, size and time of change of every static file."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(None):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def write_secret(path: Path, secret: str) -> None:
    path.touch(mode=0o600)
    path.write_text(secret)


def read_secret(path: Path) -> str | None:
    """None when it is not kept."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
