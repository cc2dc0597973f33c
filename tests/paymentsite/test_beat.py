from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from celery.platforms import EX_FAILURE
from celery.worker import state
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from paymentsite.beat import BeatThread
from paymentsite.celery import Scheduled
from paymentsite.schedule import install_schedule

ROOT = Path(__file__).resolve().parent.parent.parent
LINE = Scheduled("Look around", "demo.tasks.look", timedelta(seconds=1), "To see what is there.")


class Ticking:
    """A scheduler that has nothing to do for an hour."""

    def __init__(self, **_: object) -> None:
        self.ticked = threading.Event()
        self.closed = 0
        made.append(self)

    def tick(self) -> float:
        self.ticked.set()
        return 3600

    def close(self) -> None:
        self.closed += 1


class Failing(Ticking):
    def tick(self) -> float:
        raise RuntimeError("The schedule cannot be read")


made: list[Ticking] = []


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setattr(state, "should_stop", None)
    made.clear()
    own = Celery("beat's own", broker="memory://", set_as_current=False)
    own.conf.update(enable_utc=True, timezone="UTC", result_expires=None)
    yield own
    own.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def beats() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "beat"]


def test_a_stop_does_not_wait_for_the_next_line_of_the_schedule(app: Celery) -> None:
    app.conf.beat_scheduler = Ticking
    beat = BeatThread(app)
    beat.start()
    assert wait_for(lambda: bool(made) and made[0].ticked.is_set())
    assert (len(beats()), made[0].closed) == (1, 0)

    beat.stop()

    assert (beats(), made[0].closed, len(made)) == ([], 1, 1)
    assert state.should_stop is None


def test_a_beat_that_fails_closes_its_schedule_and_ends_the_worker_with_a_failure(app: Celery) -> None:
    app.conf.beat_scheduler = Failing
    BeatThread(app).start()

    assert wait_for(lambda: state.should_stop == EX_FAILURE)
    assert [scheduler.closed for scheduler in made] == [1]


@pytest.mark.django_db(transaction=True)
def test_what_was_sent_is_saved_when_beat_stops(app: Celery) -> None:
    install_schedule((LINE,))
    app.conf.beat_scheduler = DatabaseScheduler
    beat = BeatThread(app)
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        beat.start()
        first = queue.get(timeout=20)
        beat.stop()
        sent = 1 + queue.qsize()

    assert first.headers["task"] == LINE.task
    entry = PeriodicTask.objects.get(name=LINE.name)
    assert entry.total_run_count == sent
    assert entry.last_run_at is not None


def test_a_worker_with_beat_that_is_asked_to_stop_ends_both_cleanly(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER], cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"C_FORCE_ROOT": "1"}
        )
    try:
        assert wait_for(lambda: "beat ticks" in (tmp_path / "log").read_text(), 60), (tmp_path / "log").read_text()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    finally:
        worker.kill()
    assert (tmp_path / "log").read_text().count("beat is closed") == 1


def test_a_worker_ends_with_a_failure_when_its_beat_fails() -> None:
    said = subprocess.run(
        [sys.executable, "-c", WORKER, "fail"],
        cwd=ROOT,
        env=os.environ | {"C_FORCE_ROOT": "1"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert said.returncode == EX_FAILURE, said.stderr
    assert "Beat failed, so its worker ends" in said.stderr


# The command itself; its schedule is one that says when it is used.
WORKER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "paymentsite.settings"
import django; django.setup()
from django.core.management import call_command
from paymentsite.celery import app
class Scheduler:
    def __init__(self, **_): pass
    def tick(self):
        if "fail" in sys.argv: raise RuntimeError("The schedule cannot be read")
        print("beat ticks", flush=True)
        return 3600
    def close(self): print("beat is closed", flush=True)
app.conf.update(broker_url="memory://", beat_scheduler=Scheduler)
call_command("run_worker", "--alone", "--with-beat", "--threads=1")
"""
