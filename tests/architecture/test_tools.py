"""Ruff, mypy and Django's own look at the models, over the whole tree."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.architecture.sources import ROOT


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_ruff_finds_nothing() -> None:
    done = _run("ruff", "check", "--output-format=concise", ".")
    assert done.returncode == 0, f"Correct these, or type `ruff check --fix .` for the simple ones:\n{done.stdout}"


def test_every_file_is_formatted() -> None:
    done = _run("ruff", "format", "--check", ".")
    assert done.returncode == 0, f"Type `ruff format .`:\n{done.stdout}{done.stderr}"


def test_mypy_agrees_with_every_annotation() -> None:
    done = _run("mypy", "--no-error-summary", ".")
    if done.returncode != 0:
        # After a change of files the plugin for Django can lose managers in its cache: only a run without one decides.
        done = _run("mypy", "--no-error-summary", f"--cache-dir={os.devnull}", ".")
    assert done.returncode == 0, f"Correct the annotations, without a blanket ignore:\n{done.stdout}{done.stderr}"


def test_the_migrations_say_what_the_models_say() -> None:
    done = _run_manage("makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, (
        f"Type `manage.py makemigrations`, then name the migration:\n{done.stdout}{done.stderr}"
    )


def _run_manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
