"""Keeps a list of programs running: starts them in order, restarts what dies, stops all in the reverse order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from paymentsite.stack.children import CannotStart, Child, why_it_ended
from paymentsite.stack.interruption import Interruption
from paymentsite.stack.programs import Program

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
DEATHS_TOO_MANY = 5
DEATHS_WINDOW_SECONDS = 60.0
# A look at every child even without a signal, should one get lost.
LOOK_SECONDS = 2.0


class KeepsDying(Exception):
    """A program died too often in a short time, so restarting it is no cure; the message holds its last lines."""


@dataclass
class Watched:
    """A program, its child while there is one, and when it died lately."""

    program: Program
    child: Child | None = None
    has_answered: bool = False
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_TOO_MANY))
    start_again_at: float = 0.0


def pause_before_restart(deaths: int) -> float:
    """Seconds to wait after so many deaths within the window: 0.2 doubling to 10."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** max(deaths - 1, 0), LONGEST_PAUSE_SECONDS))


class Supervisor:
    """Programs are stopped in the reverse order of their start; those of one `start` call stop together."""

    def __init__(self, interruption: Interruption, *, say: Callable[[str], None]) -> None:
        self._interruption = interruption
        self._say = say
        self._groups: list[list[Watched]] = []

    def start(self, *programs: Program, wait: bool = True) -> None:
        """Starts the programs and, unless told not to, waits until all that were started answer. Raises CannotStart."""
        group = [Watched(program) for program in programs]
        self._groups.append(group)
        for watched in group:
            watched.program.prepare()
            self._spawn(watched)
        if wait:
            self.wait_for_all()

    def wait_for_all(self) -> None:
        """Returns when every program that was started has answered once. Raises CannotStart."""
        for watched in [watched for group in self._groups for watched in group if not watched.has_answered]:
            self._wait_until_it_answers(watched)
            watched.program.finish()
            watched.has_answered = True

    def check_all_running(self) -> None:
        """Raises CannotStart when a program has ended since its start, before anybody is told that all is up."""
        for watched in [watched for group in self._groups for watched in group]:
            child = watched.child
            if child is not None and child.exit_code() is not None:
                raise CannotStart(f"{watched.program.name} ended at its start ({why_it_ended(child)}).{_log_of(child)}")

    def watch(self) -> None:
        """Restarts what dies, until a request to stop comes (as StopRequested) or KeepsDying is raised."""
        while True:
            self._interruption.sleep(self._look_once(time.monotonic()))

    def stop(self) -> None:
        """Stops every child within its limit; nothing is left when this returns."""
        self._interruption.ignore_from_now_on()
        for group in reversed(self._groups):
            running = [(watched.program, watched.child) for watched in group if watched.child is not None]
            for _, child in running:
                child.ask_to_stop()
            asked_at = time.monotonic()
            for program, child in running:
                child.wait_until_stopped(seconds=program.stop_seconds - (time.monotonic() - asked_at))
        self._groups.clear()

    def _spawn(self, watched: Watched) -> None:
        with self._interruption.shielded():
            watched.child = watched.program.spawn()

    def _wait_until_it_answers(self, watched: Watched) -> None:
        """Other programs are not watched meanwhile: whatever this one needs, it answers in time or the start fails."""
        program, child = watched.program, watched.child
        deadline = time.monotonic() + program.start_seconds
        while not program.answers():
            if child is None or child.exit_code() is not None:
                why = why_it_ended(child) if child else "it did not start"
                raise CannotStart(f"{program.name} ended at its start ({why}).{_log_of(child)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{program.name} did not answer within {program.start_seconds:.0f} s.{_log_of(child)}"
                )
            self._interruption.sleep(0.05)

    def _look_once(self, now: float) -> float:
        """Sees to every program once; the seconds until something is to be done again."""
        wait = LOOK_SECONDS
        for watched in [watched for group in self._groups for watched in group]:
            if watched.child is not None and watched.child.exit_code() is not None:
                self._note_death(watched, now)
            if watched.child is None:
                if now >= watched.start_again_at:
                    self._start_again(watched, now)
                else:
                    wait = min(wait, watched.start_again_at - now)
        return wait

    def _note_death(self, watched: Watched, now: float) -> None:
        child = watched.child
        assert child is not None  # noqa: S101 -- the caller has looked
        child.kill_group()
        self._count_death(watched, now, why=why_it_ended(child), last_lines=child.log_tail())
        watched.child = None

    def _start_again(self, watched: Watched, now: float) -> None:
        try:
            watched.program.prepare()
            self._spawn(watched)
        except (CannotStart, OSError) as error:
            self._count_death(watched, now, why=str(error), last_lines="")

    def _count_death(self, watched: Watched, now: float, *, why: str, last_lines: str) -> None:
        watched.deaths.append(now)
        recent = [at for at in watched.deaths if now - at <= DEATHS_WINDOW_SECONDS]
        name = watched.program.name
        if len(recent) >= DEATHS_TOO_MANY:
            raise KeepsDying(
                f"{name} died {len(recent)} times within {DEATHS_WINDOW_SECONDS:.0f} s ({why}).\n{last_lines}".rstrip()
            )
        pause = pause_before_restart(len(recent))
        watched.start_again_at = now + pause
        self._say(f"{name} ended ({why}); it is started again in {pause:.1f} s.")


def _log_of(child: Child | None) -> str:
    return f" Its log: {child.log}" if child is not None else ""
