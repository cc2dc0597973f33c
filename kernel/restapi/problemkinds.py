"""Every kind of problem that an answer names: code, status, meaning and next step, from the classes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from kernel.errors import PaymentsiteError

# A test's own classes are no problems of ours.
FOREIGN = frozenset({"tests"})


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One code, with the HTTP status it comes with, its cause and the next step."""

    code: str
    status: int
    title: str
    cause: str
    next_step: str


def problem_kinds() -> dict[str, ProblemKind]:
    """Every code of the classes that are loaded, in the order of the codes."""
    # Where two classes share a code, the lower one of the house words it, whichever was imported first.
    errors = sorted(
        set(_errors(PaymentsiteError)), key=lambda error: (error.__module__, error.__qualname__), reverse=True
    )
    kinds = {error.code: _kind_of(error) for error in errors if "code" in vars(error)}
    return dict(sorted(kinds.items()))


def _errors(parent: type[PaymentsiteError]) -> Iterator[type[PaymentsiteError]]:
    for error in parent.__subclasses__():
        if error.__module__.partition(".")[0] not in FOREIGN:
            yield error
            yield from _errors(error)


def _kind_of(error: type[PaymentsiteError]) -> ProblemKind:
    cause = (inspect.getdoc(error) or error.title).splitlines()[0]
    return ProblemKind(error.code, error.status, error.title, cause, error.next_step)
