"""Which jobs there are. An app declares its own with `@job`, in its jobs.py or tasks.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.errors import NotFound, Refused

JobFunction = Callable[..., dict[str, Any]]


class UnknownJob(NotFound):
    """There is no job of this name."""

    code = "unknown-job"


class ParametersUnfit(Refused):
    """The job does not take these parameters."""

    code = "job-parameters-unfit"


@dataclass(frozen=True, slots=True)
class Job:
    """A declared job: `run(progress, **parameters)` returns the result, a dict that fits into JSON."""

    name: str
    title: str
    run: JobFunction
    exclusive: bool

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Raises ParametersUnfit when the function could not be called with these."""
        try:
            inspect.signature(self.run).bind(None, **parameters)
        except TypeError as mismatch:
            raise ParametersUnfit(f"The job {self.name} cannot be run with these parameters: {mismatch}.") from None


_jobs: dict[str, Job] = {}


def job(name: str, *, title: str, exclusive: bool = False) -> Callable[[JobFunction], JobFunction]:
    """Declares the decorated function as the job `name`. An exclusive job has at most one live run at a time."""

    def declare(function: JobFunction) -> JobFunction:
        known = _jobs.get(name)
        if known is not None and known.run.__qualname__ != function.__qualname__:
            raise ValueError(f"Two functions declare the job {name}: {known.run.__qualname__} was first.")
        _jobs[name] = Job(name, title, function, exclusive)
        return function

    return declare


def find_job(name: str) -> Job:
    """The job of this name. Raises UnknownJob."""
    try:
        return _jobs[name]
    except KeyError:
        raise UnknownJob(f"There is no job {name}; there are: {', '.join(sorted(_jobs)) or 'none'}.") from None


def title_of(name: str) -> str:
    """The job's title; its name when it belonged to an earlier version and is gone since."""
    return _jobs[name].title if name in _jobs else name
