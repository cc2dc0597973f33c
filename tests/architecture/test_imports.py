"""Imports go one way: the contracts of pyproject.toml hold, and no file goes round them."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.architecture.sources import PRODUCT, ROOT, FunctionNode, named, python_files, tree_of


def test_the_layers_of_the_house_and_of_every_app_hold() -> None:
    check = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(cache_dir=None))"
    # Isolated from the caller's folder, but with the checkout on the path, where the packages to be read are.
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, (
        "An import goes up, or a new module has no layer yet. For an import: move the code down, or meet the need by a "
        "registry, a queryset or an event. For a module: give it its place in [tool.importlinter] of pyproject.toml.\n"
        f"{done.stdout.partition('Broken contracts')[2] or done.stdout}{done.stderr[-2000:]}"
    )


def test_no_function_imports_a_module_to_break_a_cycle() -> None:
    late = [
        f"{named(path)}:{inner.lineno}"
        for path in python_files(*PRODUCT)
        for function in ast.walk(tree_of(path))
        if isinstance(function, FunctionNode) and not _may_import_late(function)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not late, (
        f"Move these imports to the top of their files; if that makes a cycle, the cycle is the fault: {late}"
    )


def _may_import_late(function: FunctionNode) -> bool:
    """Django calls `ready` when every app is loaded, and only from there may models be imported."""
    return function.name == "ready"


def test_no_signal_receiver_decides_anything() -> None:
    found = [
        f"{named(path)}:{node.lineno}"
        for path in python_files(*PRODUCT)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("django") and _names_a_signal(node)
    ]
    assert not found, f"Call the operation where the change is made, not from a receiver: {found}"


def _names_a_signal(node: ast.ImportFrom) -> bool:
    signals = {"receiver", "pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed"}
    return any(alias.name in signals for alias in node.names)
