"""The order of a start: room on the disk, servers, preparation, programs, and the welcome at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
from celery import current_app
from django.conf import settings
from django.core.checks import run_checks
from django.urls import reverse

from paymentsite.stack.children import CannotStart, Child, tied_to_parent, why_it_ended
from paymentsite.stack.composition import (
    MANAGE,
    SHARED_MODULES,
    child_environment,
    embedded_servers,
    own_programs,
    simulators_are_here,
    simulators_are_wanted,
)
from paymentsite.stack.folders import StateFolder
from paymentsite.stack.forking import import_all, share
from paymentsite.stack.interruption import Interruption
from paymentsite.stack.kafka import BrokerProgram
from paymentsite.stack.preparation import STAFF_USERNAME, read_secret
from paymentsite.stack.simulators import simulators_url
from paymentsite.stack.supervisor import Supervisor
from paymentsite.stack.welcome import welcome

NEEDED_MEGABYTES = 300
LONGEST_LOG_BYTES = 20 * 1024 * 1024
PREPARE_STOP_SECONDS = 3


def bring_up(supervisor: Supervisor, interruption: Interruption, *, say: Callable[[str], None]) -> None:
    """Starts everything and says each step in a line. Raises CannotStart with one line that says what to do."""
    state: StateFolder = settings.STATE
    began_at = time.monotonic()
    check_room(state.path)
    shorten_logs(state.log_folder)
    empty_folder(state.metrics_folder)
    for server in embedded_servers():
        say(f"Starting {server.name}")
        # Nothing in the preparation needs the broker, which is the slowest of them to start.
        supervisor.start(server, wait=not isinstance(server, BrokerProgram))
    say("Preparing the database")
    run_prepare(state, interruption)
    if simulators_are_wanted() and not simulators_are_here():
        say("No card and prepaid payments: the simulators are not in this folder, and no gateway is set")
    programs = own_programs(as_copies=True)
    say("Starting " + ", ".join(program.name for program in programs))
    supervisor.start(*programs)
    supervisor.check_all_running()
    say(f"Up in {time.monotonic() - began_at:.1f} s")
    say(
        welcome(
            address=f"http://localhost:{settings.PORT}",
            console_path=reverse("admin:index"),
            username=STAFF_USERNAME,
            password=read_secret(state.staff_password_file),
            state=state,
            simulators=simulators_url(settings.SIMULATORS_ADDRESS_FILE) if simulators_are_wanted() else None,
        )
    )


def run_prepare(state: StateFolder, interruption: Interruption) -> None:
    """`manage.py prepare` in a process of its own, so that a stop request can end it at any point.

    Its steps are printed as they come; what goes wrong is in prepare.log.
    """
    log = state.log_folder / "prepare.log"
    # Its own steps go to our screen, the log lines of everything it calls go to its log.
    screen = os.dup(sys.stdout.fileno())
    with interruption.shielded(), log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, MANAGE, "prepare", f"--steps-to={screen}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(screen,),
            env={**os.environ, **child_environment(), "PAYMENTSITE_ROLE": "command"},
            cwd=settings.BASE_DIR,
            start_new_session=True,
            preexec_fn=tied_to_parent(signal.SIGTERM),
        )
        child = Child(popen, log=log, stop_signal=signal.SIGTERM)
    os.close(screen)
    try:
        prepare_copies(state)
        while child.exit_code() is None:
            interruption.sleep(1)
    finally:
        child.ask_to_stop()
        code = child.wait_until_stopped(seconds=PREPARE_STOP_SECONDS)
    if code != 0:
        raise CannotStart(f"The database could not be prepared ({why_it_ended(child)}). Its log: {log}")


def prepare_copies(state: StateFolder) -> None:
    """Imports for all programs at once what they need, while the database is being prepared."""
    # Asked for at the import of what counts; the copies then begin files of their own, and ours says nothing.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(state.metrics_folder)
    django.setup()
    import_all(SHARED_MODULES)
    # The tasks and the addresses of all pages, which each program would otherwise work out for itself.
    current_app.loader.init_worker()
    current_app.finalize()
    reverse("admin:index")
    # Made once for all programs, which also keep what the checks have worked out.
    wrong = [message for message in run_checks() if message.is_serious()]
    if wrong:
        raise CannotStart(f"Django's checks found {len(wrong)} errors, the first of which is: {wrong[0]}")
    share()
    for file in state.metrics_folder.glob(f"*_{os.getpid()}.db"):
        file.unlink()


def check_room(folder: Path) -> None:
    """A database that meets a full disk half-way is worse than one that was never started."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MEGABYTES:
        raise CannotStart(f"The disk of {folder} has {free} MB left; {NEEDED_MEGABYTES} are needed: make room there.")


def shorten_logs(folder: Path) -> None:
    """A log that has grown long is put aside, in place of the one put aside before."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > LONGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def empty_folder(folder: Path) -> None:
    """The figures of processes that are gone would be counted again."""
    for file in folder.iterdir():
        file.unlink()
