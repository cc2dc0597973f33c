"""What README and docs name is there: links, headings, pictures, files and commands. Each rule says where to look."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.architecture.sources import ROOT, named

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_link = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_heading = re.compile(r"^#+ (.+)$", re.MULTILINE)
_fence = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_command = re.compile(r"(?:\./run manage|manage\.py) ([a-z][a-z_]+)")
_first_cell = re.compile(r"^\|([^|]*)\|", re.MULTILINE)
_path = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sh|md|json|yml|sql|csv|toml))`")
_test_file = re.compile(r"`(test_\w+\.py)`")


def slug(heading: str) -> str:
    """The anchor that a heading gets where Markdown is shown."""
    words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower())
    return words.replace(" ", "-")


def headings(page: Path) -> set[str]:
    return {slug(found) for found in _heading.findall(_fence.sub("", page.read_text()))}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_and_picture_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for target in _link.findall(_fence.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_file() or (anchor and anchor not in headings(file)):
            broken.append(target)
    assert not broken, f"Correct these links of {named(page)}, or add what they lead to: {broken}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_is_named_exists(page: Path) -> None:
    unknown = set(_command.findall(page.read_text())) - set(get_commands())
    assert not unknown, f"{named(page)} names commands that there are not: {sorted(unknown)}"


def test_every_command_of_the_readme_s_table_exists() -> None:
    table = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("\n## ")[0]
    listed = {name for cell in _first_cell.findall(table) for name in re.findall(r"`([a-z_]+)", cell)}
    assert len(listed) > 15
    assert listed <= set(get_commands()), f"Take these out of the table: {sorted(listed - set(get_commands()))}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    missing = [path for path in _path.findall(text) if not any((base / path).exists() for base in (ROOT, page.parent))]
    missing += [name for name in _test_file.findall(text) if not any((ROOT / "tests").rglob(name))]
    assert not missing, f"{named(page)} names files that there are not: {missing}"


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


def test_a_heading_is_found_by_its_anchor() -> None:
    assert slug("What is kept and for how long") == "what-is-kept-and-for-how-long"
    assert slug("The `API`, once more: 1.0.0") == "the-api-once-more-100"
