"""Runs the whole product on this machine, in front, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import sys
import time

from django.conf import settings
from django.core.management.base import BaseCommand

from paymentsite.stack.children import CannotStart
from paymentsite.stack.interruption import Interruption, StopRequested
from paymentsite.stack.startlock import StartLock, check_port
from paymentsite.stack.supervisor import KeepsDying, Supervisor
from paymentsite.stack.up import bring_up

# How long the children of a supervisor that was killed may take to end.
LAST_ONES_SECONDS = 5


class Command(BaseCommand):
    help = "Starts the embedded servers, prepares the database, runs web, worker and relay, and keeps them up."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        interruption = Interruption()
        interruption.install()
        supervisor = Supervisor(interruption, say=self.say)
        lock = StartLock(settings.STATE.lock_file)
        exit_code = 0
        try:
            settings.STATE.make()
            was_left_behind = lock.take(port=settings.PORT)
            check_port(settings.PORT, patience_seconds=LAST_ONES_SECONDS if was_left_behind else 0)
            bring_up(supervisor, interruption, say=self.say)
            supervisor.watch()
        except StopRequested:
            self.say("Stopping")
        except (CannotStart, KeepsDying) as error:
            self.stderr.write(str(error))
            exit_code = 1
        finally:
            asked_at = time.monotonic()
            supervisor.stop()
            lock.release()
        if exit_code == 0:
            self.say(f"Stopped in {time.monotonic() - asked_at:.1f} s")
        sys.exit(exit_code)

    def say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever read our lines is gone. The programs go on, and a stop must still go its way; the interpreter's
            # own flush at the end needs a place to write to, too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
