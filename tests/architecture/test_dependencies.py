"""Every direct dependency has its reason in docs/decisions.md."""

from __future__ import annotations

import re

from tests.architecture.sources import ROOT


def direct() -> set[str]:
    lines = "\n".join((ROOT / name).read_text() for name in ("requirements.in", "requirements-dev.in")).splitlines()
    return {re.split(r"[\[<>=!~ ]", line)[0] for line in lines if line and not line.startswith(("#", "-"))}


def test_every_direct_dependency_has_a_reason() -> None:
    page = (ROOT / "docs" / "decisions.md").read_text()
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
    explained = {name.strip() for cell in cells for name in cell.split(",")}
    assert len(direct()) > 30
    assert direct() - explained == set(), "Say in one line of docs/decisions.md what each of these is for."
    assert explained - direct() - {"package", "---"} == set(), "These are no direct dependencies: take them out."
