"""Our own source files, as text and as syntax trees, for tests that read code."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCT = ("kernel", "accounts", "catalogue", "payments", "invoices", "console", "paymentsite")
APART = ("tests", "benchmarks")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Every Python file below these folders of the checkout (all of ours by default), in order."""
    below = (ROOT / folder for folder in folders or (*PRODUCT, *APART))
    return tuple(sorted(path for folder in below for path in folder.rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def named(path: Path) -> str:
    """The file's name as it is written in messages: from the root of the checkout."""
    return str(path.relative_to(ROOT))


def is_public(node: ast.stmt) -> bool:
    return isinstance(node, FunctionNode | ast.ClassDef) and not node.name.startswith("_")
