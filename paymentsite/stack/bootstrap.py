"""The second half of `./run`: the virtual environment, then the command asked for. Standard library only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CHECKOUT = Path(__file__).resolve().parent.parent.parent
NEEDED_MEGABYTES = 900
PIP_OPTIONS = ("--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input")


class CannotPrepare(Exception):
    """The environment cannot be made; the message is one line that says what to do."""


def main(arguments: list[str]) -> None:
    """Makes the environment ready and becomes the command, so that its exit code is ours."""
    word, rest = arguments[0], arguments[1:]
    environment = VirtualEnvironment(CHECKOUT / ".venv")
    environment.make_ready(CHECKOUT / ("requirements-dev.txt" if word == "test" else "requirements.txt"))
    if word == "test":
        os.chdir(CHECKOUT)
        command = ["-m", "pytest", *pytest_arguments(rest)]
    else:
        command = [str(CHECKOUT / "manage.py"), *(rest if word == "manage" else ["up", *rest])]
    os.execv(environment.python, [str(environment.python), *command])  # noqa: S606 -- no shell is wanted


def pytest_arguments(given: list[str]) -> list[str]:
    """Two workers unless the caller says how many, or asks for what workers cannot do."""
    decided = re.compile(r"-n|--numprocesses|--dist|--pdb|--trace$|--collect-only|--co$|--help|-h$|--version")
    by_plugin = any(argument.endswith("no:xdist") for argument in given)
    if by_plugin or any(decided.match(argument) for argument in given):
        return given
    return ["-n", "2", *given]


class VirtualEnvironment:
    """A folder that holds the packages of one requirements file, and says so in a stamp when it is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        # There while something is being changed: an environment cut short is made anew, never trusted.
        self.incomplete = folder / ".incomplete"
        self.log = folder / "install.log"

    def make_ready(self, requirements: Path) -> None:
        """Returns at once when nothing changed. Raises CannotPrepare."""
        wanted = digest(requirements)
        stamp = self.folder / f".installed-{requirements.stem}"
        if self._is_ready(stamp, wanted):
            return
        with only_one(CHECKOUT):
            if self._is_ready(stamp, wanted):
                return
            check_room(CHECKOUT)
            self._make_folder()
            self._install(requirements)
            stamp.write_text(wanted)
            self.incomplete.unlink()

    def _is_ready(self, stamp: Path, wanted: str) -> bool:
        return (
            self.python.exists()
            and not self.incomplete.exists()
            and stamp.is_file()
            and stamp.read_text().strip() == wanted
        )

    def _make_folder(self) -> None:
        usable = self.python.exists() and not self.incomplete.exists()
        if not usable and self.folder.exists():
            say("The environment in .venv is not complete: making it anew")
            shutil.rmtree(self.folder)
        self.folder.mkdir(exist_ok=True)
        self.incomplete.touch()
        if not usable:
            say(f"Making the environment in .venv with Python {sys.version.split()[0]}")
            self._run([sys.executable, "-m", "venv", str(self.folder)], "The environment in .venv could not be made")
        elif subprocess.run([self.python, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
            self._run([str(self.python), "-m", "ensurepip"], "pip could not be put into .venv")

    def _install(self, requirements: Path) -> None:
        """A line per package, so that a slow network is seen to move; everything pip said is in the log."""
        count = sum(1 for line in requirements.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line))
        say(f"Installing {count} packages from {requirements.name}")
        began_at = time.monotonic()
        command = [str(self.python), "-m", "pip", "install", *PIP_OPTIONS, "--progress-bar", "off"]
        self._run([*command, "-r", str(requirements)], "The packages could not be installed", shows=r"Collecting (\S+)")
        say(f"Installed in {time.monotonic() - began_at:.0f} s")

    def _run(self, command: list[str], complaint: str, *, shows: str = "(?!)") -> None:
        """Runs a program, keeps what it says in the log and prints what `shows` finds in it."""
        said: list[str] = []
        with (
            self.log.open("a") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running,
        ):
            try:
                for line in running.stdout or ():
                    log.write(line)
                    said.append(line)
                    found = re.match(shows, line)
                    if found:
                        say(f"  {found[1]}")
            except BaseException:
                running.terminate()
                raise
        if running.returncode != 0:
            raise CannotPrepare(f"{complaint}: {reason(said)} (all of it: {self.log})")


def reason(said: list[str]) -> str:
    """The one line of a program's last words that says what went wrong."""
    if any("No space left on device" in line for line in said):
        return "the disk is full"
    errors = [line.strip().removeprefix("ERROR: ") for line in said if "error" in line.lower()]
    return (errors or [line.strip() for line in said if line.strip()] or ["it said nothing"])[-1]


def digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MEGABYTES:
        raise CannotPrepare(f"The disk of {folder} has {free} MB left; {NEEDED_MEGABYTES} are needed: make room there.")


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """The lock is on the checkout itself: it needs no file, and the kernel gives it back however we end."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another ./run is preparing .venv in this folder: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def say(line: str) -> None:
    print(line, flush=True)


def end_like_ctrl_c(number: int, frame: FrameType | None) -> None:
    """SIGTERM, too, ends the installer that we are waiting for."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_like_ctrl_c)
    try:
        main(sys.argv[1:])
    except CannotPrepare as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped. What was begun is made anew at the next start.")
    except OSError as error:
        sys.exit(f"The environment in .venv cannot be made ready: {error}")
