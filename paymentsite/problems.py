"""Every kind of problem that an answer names in `type`: meaning and next step, from the classes themselves."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

from kernel.errors import PaymentsiteError

PACKAGES = ("kernel", "accounts", "catalogue", "payments", "invoices", "console", "paymentsite")
# Programs and migrations raise nothing that an answer names; the entry point of the web process would start it.
LEFT_OUT = ("migrations", "management", "wsgi", "settings", "stack")


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


def load_every_module() -> None:
    """Imports all code of ours, so that no class is missing."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not set(module.name.split(".")) & set(LEFT_OUT):
                importlib.import_module(module.name)


def problems_page() -> str:
    """docs/problems.md, whole."""
    lines = [
        "# Problems",
        "",
        "Errors leave the API as problem details (RFC 9457, `application/problem+json`). `code` is stable: programs",
        "decide by it, never by the sentences. `type` is `/problems/` and the code, an address that explains the code",
        "too. 4xx: correct the request (409: look first). 503 and 429: repeat the same request after `Retry-After`.",
        "",
        "This page is written by `manage.py write_problems` from the classes; the test run compares it with them.",
        "",
        "| Code | Status | Meaning | What to do |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{kind.code}` | {kind.status} | {kind.cause} | {kind.next_step} |" for kind in problem_kinds().values()
    ]
    return "\n".join(lines) + "\n"


def _errors(parent: type[PaymentsiteError]) -> Iterator[type[PaymentsiteError]]:
    for error in parent.__subclasses__():
        # A test's own classes are no problems of ours.
        if error.__module__.partition(".")[0] in PACKAGES:
            yield error
            yield from _errors(error)


def _kind_of(error: type[PaymentsiteError]) -> ProblemKind:
    cause = (inspect.getdoc(error) or error.title).splitlines()[0]
    return ProblemKind(error.code, error.status, error.title, cause, error.next_step)
