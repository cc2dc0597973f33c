"""Every kind of problem that an answer names in `type`: meaning and next step, from the classes themselves."""

from __future__ import annotations

import importlib
import pkgutil

from kernel.restapi.problemkinds import ProblemKind, problem_kinds

__all__ = ["ProblemKind", "load_every_module", "problem_kinds", "problems_page"]

PACKAGES = ("kernel", "accounts", "catalogue", "payments", "invoices", "console", "paymentsite")
# Programs and migrations raise nothing that an answer names; the entry point of the web process would start it.
LEFT_OUT = ("migrations", "management", "wsgi", "settings", "stack")


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
