"""`./run` before Django: which Python, which environment, which arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paymentsite.stack import bootstrap
from paymentsite.stack.bootstrap import CannotPrepare, VirtualEnvironment, digest, pytest_arguments, reason

RUN = Path(__file__).resolve().parent.parent.parent / "run"


def run_with_pythons(folder: Path, answers: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`./run` on a PATH whose pythons are shell scripts; each is the body of one, with the asked code in $2."""
    for name in ("dirname", "cat", "sh"):
        (folder / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    for name, body in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", RUN, *arguments], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )


def test_help_names_every_variable_and_starts_nothing(tmp_path: Path) -> None:
    answer = run_with_pythons(tmp_path, {}, "--help")
    assert answer.returncode == 0
    for name in (
        "PORT",
        "PAYMENTSITE_STATE",
        "DATABASE_URL",
        "REDIS_URL",
        "KAFKA_BROKERS",
        "Ctrl-C",
        "Two side by side",
    ):
        assert name in answer.stdout


def test_an_unknown_word_is_refused(tmp_path: Path) -> None:
    answer = run_with_pythons(tmp_path, {}, "tset")
    assert (answer.returncode, answer.stderr) == (2, "./run does not know 'tset'. Type ./run --help\n")


def test_no_usable_python_is_one_line_and_a_failure(tmp_path: Path) -> None:
    answer = run_with_pythons(tmp_path, {"python3.12": "exit 127", "python3": "echo 3.9"})
    assert answer.returncode == 1
    assert answer.stderr == "No Python 3.11, 3.12 or 3.13 was found. Type: apt-get install python3 python3-venv\n"


def test_a_python_without_venv_is_one_line_and_a_failure(tmp_path: Path) -> None:
    answer = run_with_pythons(tmp_path, {"python3": 'case "$2" in *version_info*) echo 3.11 ;; *) exit 1 ;; esac'})
    assert answer.returncode == 1
    assert answer.stderr == "Python 3.11 is here, its venv module is not. Type: apt-get install python3.11-venv\n"


def test_a_name_without_an_interpreter_behind_it_is_passed_over(tmp_path: Path) -> None:
    good = 'case "$2" in *version_info*) echo 3.13 ;; *venv*) exit 0 ;; *) echo "started: $*" ;; esac'
    answer = run_with_pythons(tmp_path, {"python3.11": "exit 127", "python3.13": good}, "test", "-k", "two words")
    assert answer.returncode == 0
    assert answer.stdout.endswith("bootstrap.py test -k two words\n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["-n", "2"]),
        (["tests/kernel", "-x"], ["-n", "2", "tests/kernel", "-x"]),
        (["--no-header"], ["-n", "2", "--no-header"]),
        (["-n", "4"], ["-n", "4"]),
        (["-n0"], ["-n0"]),
        (["--numprocesses=3"], ["--numprocesses=3"]),
        (["--pdb"], ["--pdb"]),
        (["-p", "no:xdist"], ["-p", "no:xdist"]),
    ],
)
def test_two_workers_unless_the_caller_says_otherwise(given: list[str], expected: list[str]) -> None:
    assert pytest_arguments(given) == expected


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that asks for nothing, in a checkout of its own."""
    monkeypatch.setattr(bootstrap, "CHECKOUT", tmp_path)
    path = tmp_path / "requirements.txt"
    path.write_text("# nothing\n")
    return path


def test_an_environment_is_made_once_and_again_when_it_was_cut_short(
    requirements: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = VirtualEnvironment(requirements.parent / ".venv")
    environment.make_ready(requirements)
    assert subprocess.run([environment.python, "-c", "import pip"], check=False).returncode == 0
    assert "Making the environment" in capsys.readouterr().out

    environment.make_ready(requirements)
    assert capsys.readouterr().out == ""

    (environment.folder / "half-made").touch()
    environment.incomplete.touch()
    monkeypatch.setattr(environment, "_run", lambda command, complaint, **options: environment.log.touch())
    environment.make_ready(requirements)
    assert "is not complete: making it anew" in capsys.readouterr().out
    assert not (environment.folder / "half-made").exists()


def test_changed_requirements_are_installed_into_the_same_environment(
    requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = VirtualEnvironment(requirements.parent / ".venv")
    environment.folder.mkdir()
    environment.python.parent.mkdir()
    environment.python.symlink_to(sys.executable)
    stamp = environment.folder / ".installed-requirements"
    stamp.write_text("of another day")
    installed: list[list[str]] = []
    monkeypatch.setattr(environment, "_run", lambda command, complaint, **options: installed.append(command))
    environment.make_ready(requirements)
    assert [command[-2:] for command in installed if "install" in command] == [["-r", str(requirements)]]
    assert stamp.read_text() == digest(requirements)
    assert not environment.incomplete.exists()


def test_a_failed_install_is_one_line_and_leaves_the_environment_marked(requirements: Path) -> None:
    requirements.write_text("no-hash==1.0\n")
    environment = VirtualEnvironment(requirements.parent / ".venv")
    with pytest.raises(CannotPrepare, match=r"^The packages could not be installed: .*install\.log\)$") as caught:
        environment.make_ready(requirements)
    assert "\n" not in str(caught.value)
    assert environment.incomplete.exists()


def test_too_little_room_is_said_before_anything_is_made(requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NEEDED_MEGABYTES", 10**9)
    with pytest.raises(CannotPrepare, match=r"^The disk of .* has \d+ MB left; 1000000000 are needed: make room there"):
        VirtualEnvironment(requirements.parent / ".venv").make_ready(requirements)
    assert os.listdir(requirements.parent) == ["requirements.txt"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["Collecting x\n", "ERROR: [Errno 28] No space left on device\n", "later\n"], "the disk is full"),
        (["ERROR: no version of x\n", "bye\n"], "no version of x"),
        (["something\n", "\n"], "something"),
        ([], "it said nothing"),
    ],
)
def test_the_reason_of_a_failed_install_is_one_line(said: list[str], expected: str) -> None:
    assert reason(said) == expected
