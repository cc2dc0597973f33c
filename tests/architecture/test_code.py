"""How our code reads: sizes, names, money, docstrings. Every rule here says what to do when it is broken."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import PRODUCT, ROOT, FunctionNode, is_public, named, python_files, tree_of

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
# Longer for a reason, and the reason.
LONG_FILES = {
    "catalogue/migrations/0001_create_catalogue.py": "the first schema is one piece, and history is not rewritten",
    "invoices/migrations/0001_create_invoices.py": "the first schema is one piece, and history is not rewritten",
    "payments/migrations/0001_create_payment_records.py": "the first schema is one piece, and history is not rewritten",
}
BANNED_WORDS = {
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "service",
    "services",
    "mixin",
    "mixins",
    "manager",
    "managers",
    "handle",
    "process",
    "info",
    "data",
}
# Names that others gave: Django, PostgreSQL, the seed plan.
GIVEN_NAMES = {
    "_make_data_folder": "PostgreSQL's word for where a server keeps everything",
    "handle": "Django calls the body of a command so",
    "export_data": "django-import-export's name of the step",
    "get_import_data_kwargs": "django-import-export's name of the step",
    "process_import": "django-import-export's name of the step",
    "process_result": "django-import-export's name of the step",
    "AccountInfo": "a member of an order, as partners know it",
    "BusinessInfo": "a member of an order, as partners know it",
    "FilingInfo": "a member of an order, as partners know it",
    "PaymentInfo": "a member of an order, as partners know it",
    "service_fees_stay_ours": "a fee of the field: the service fee",
    "StagingProcessLog": "the seed plan's table",
    "StagingProcessLogQuerySet": "the seed plan's table",
    "StagingProcessLogAdmin": "the seed plan's table",
}
MONEY_FILES = (
    "kernel/money.py",
    "kernel/fields.py",
    "kernel/exactjson.py",
    "kernel/currencies.py",
    "payments/",
    "catalogue/",
    "invoices/",
)


def test_no_file_is_longer_than_its_reader_can_hold() -> None:
    too_long = {
        named(path): lines
        for path in python_files()
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE and named(path) not in LONG_FILES
    }
    assert not too_long, f"Split these at the concepts they hold, {LONGEST_FILE} lines at the most: {too_long}"


def test_no_exception_for_a_long_file_outlives_its_need() -> None:
    unneeded = [
        name
        for name in LONG_FILES
        if not (ROOT / name).exists() or len((ROOT / name).read_text().splitlines()) <= LONGEST_FILE
    ]
    assert not unneeded, f"Take these out of LONG_FILES: {unneeded}"


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = {
        f"{named(path)}:{node.name}": lines
        for path in python_files(*PRODUCT)
        for node in ast.walk(tree_of(path))
        if isinstance(node, FunctionNode) and (lines := _lines_of(node)) > LONGEST_FUNCTION
    }
    assert not too_long, f"Split these into steps with names, {LONGEST_FUNCTION} lines at the most: {too_long}"


def _lines_of(node: FunctionNode) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_name_says_nothing() -> None:
    found = [
        f"{named(path)}: {name}"
        for path in python_files(*PRODUCT)
        for name in [path.stem, *_defined_names(path)]
        if name not in GIVEN_NAMES and _words(name) & BANNED_WORDS
    ]
    assert not found, f"Name these for what they are or do, not for the drawer they lie in: {found}"


def _defined_names(path: Path) -> list[str]:
    return [node.name for node in ast.walk(tree_of(path)) if isinstance(node, FunctionNode | ast.ClassDef)]


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_no_float_touches_money() -> None:
    files = [path for path in python_files(*PRODUCT) if named(path).startswith(MONEY_FILES)]
    found = [
        f"{named(path)}:{node.lineno}"
        for path in files
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        # A clock that was never read, a budget of requests: no amount is written as a constant or in capitals.
        if not (node.args and isinstance(node.args[0], ast.Constant))
        and not (node.args and isinstance(node.args[0], ast.Name) and node.args[0].id.isupper())
    ]
    assert len(files) > 20
    assert not found, f"Keep amounts Decimal from the door to the database: {found}"


def test_every_public_operation_says_what_comes_in_and_out() -> None:
    silent = [
        f"{named(path)}:{node.name}"
        for path in _operation_files()
        for node in tree_of(path).body
        if is_public(node) and isinstance(node, FunctionNode) and not ast.get_docstring(node)
    ]
    assert not silent, f"Give these a docstring: what comes in and out, with units, and which errors: {silent}"


def test_every_module_says_what_it_is_in_five_lines_or_less() -> None:
    wrong = {}
    for path in python_files(*PRODUCT):
        docstring = ast.get_docstring(tree_of(path))
        is_silent = path.name not in ("__init__.py", "apps.py", "wsgi.py") and "migrations" not in path.parts
        if docstring is None and is_silent:
            wrong[named(path)] = "has none"
        elif docstring is not None and len(docstring.splitlines()) > 5:
            wrong[named(path)] = f"has {len(docstring.splitlines())} lines"
    assert not wrong, f"One to five lines at the top, for the reader who asks what this file is: {wrong}"


def test_only_operations_write_payments_and_their_records() -> None:
    """Doors and reads of payments save nothing by themselves."""
    writing = {"save", "create", "bulk_create", "update_or_create", "get_or_create", "bulk_update"}
    doors = ("payments/api", "payments/admin", "payments/webhooks", "payments/querysets", "payments/search")
    found = [
        f"{named(path)}:{node.lineno}"
        for path in python_files("payments")
        if named(path).startswith(doors)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writing
    ]
    assert not found, f"Let an operation write, and call it: {found}"


def _operation_files() -> list[Path]:
    return [path for path in python_files(*PRODUCT) if path.stem == "operations" or path.parent.name == "operations"]
