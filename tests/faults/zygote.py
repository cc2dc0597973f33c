"""A process that is Django set up and nothing else, and copies itself for every call: a kill point in milliseconds.

The copies are real processes with sessions of their own; the zygote has no thread and no connection that they could
share. It reads calls in JSON, one list to a line, and answers each list with a line: what came of every call,
or what killed it and where.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# What takes long to import and opens nothing.
PRELOADED = ("paymentsite.urls", "payments.webhooks.door", "paymentsite.celery", "tests.faults.calls")
CALL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ending:
    """How one copy ended: with a result, or killed; `where` is the exchange at which the seam killed it."""

    result: dict[str, Any] | None
    signal: int | None
    where: str = ""

    @property
    def was_killed(self) -> bool:
        return self.signal == signal.SIGKILL


class Zygote:
    """Started on entering; its copies find the database and the servers by `environment`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = os.environ | {"DJANGO_SETTINGS_MODULE": "paymentsite.settings"} | environment

    def __enter__(self) -> Zygote:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        self.popen.wait(CALL_SECONDS)

    def call(self, name: str, *, kill_at: int | None = None, moment: str = "before", **arguments: Any) -> Ending:
        """Runs tests.faults.calls.<name> in a copy, which is killed at the exchange of this number when it gets there.

        Raises RuntimeError with the copy's traceback when it failed by itself.
        """
        [ending] = self._ask([{"name": name, "kill_at": kill_at, "moment": moment, "arguments": arguments}])
        return ending

    def call_together(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Ending]:
        """Runs calls in as many copies at the same time, and nobody kills them."""
        return self._ask(
            [{"name": name, "kill_at": None, "moment": "before", "arguments": given} for name, given in calls]
        )

    def _ask(self, requests: list[dict[str, Any]]) -> list[Ending]:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.write(json.dumps(requests) + "\n")
        self.popen.stdin.flush()
        answers = json.loads(self.popen.stdout.readline() or '[{"error": "The zygote ended."}]')
        for answer in answers:
            if "error" in answer:
                raise RuntimeError(answer["error"])
        return [Ending(answer.get("result"), answer["signal"], answer.get("where", "")) for answer in answers]


def serve() -> None:
    """Answers calls until its input ends."""
    import django

    django.setup()
    for name in PRELOADED:
        importlib.import_module(name)
    # The copies write where they like; answers have the stream that we were given.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        copies = [_begin_copy(request) for request in json.loads(line)]
        print(json.dumps([_end_of(*copy) for copy in copies]), file=answers, flush=True)


def _begin_copy(request: dict[str, Any]) -> tuple[int, int]:
    """Its process id, and the descriptor that it tells its end to."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        _be_the_copy(request, writable)
    os.close(writable)
    return pid, readable


def _end_of(pid: int, readable: int) -> dict[str, Any]:
    with os.fdopen(readable) as told:
        said = told.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {"signal": -code if code < 0 else None} | (json.loads(said) if said else {})


def _be_the_copy(request: dict[str, Any], writable: int) -> NoReturn:
    from tests.faults import calls
    from tests.faults.seam import Moment, Seam

    def tell(**facts: Any) -> None:
        os.write(writable, json.dumps(facts).encode())

    signal.alarm(CALL_SECONDS)
    seam = Seam(request["kill_at"], Moment(request["moment"]), say=lambda where: tell(where=where))
    try:
        tell(result=getattr(calls, request["name"])(seam, **request["arguments"]))
    except BaseException:
        tell(error=traceback.format_exc())
    # No exit handler and no destructor: they belong to the zygote.
    os._exit(0)


if __name__ == "__main__":
    serve()
