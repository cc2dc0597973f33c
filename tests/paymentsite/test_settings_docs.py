"""docs/settings.md lists what the code reads, all of it and nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import ROOT, tree_of

PAGE = (ROOT / "docs" / "settings.md").read_text()
# Read outside the settings: where the embedded servers' programs are looked for.
OUTSIDE = {"PG_BIN"}

SEED = set(
    re.findall(
        r"\w+",
        """
PORT NODE_ENV DB_HOST DB_PORT DB_DATABASE DB_USERNAME DB_PASSWORD DB_POOL_MIN DB_POOL_MAX REDIS_HOST REDIS_PORT
REDIS_TTL_SECONDS KAFKA_BROKERS KAFKA_TOPIC KAFKA_CLIENT_ID KAFKA_BATCH_SIZE STAGING_BATCH_SIZE STAGING_INTERVAL_SECONDS
STAGING_MAX_RETRIES WEBHOOK_TIMEOUT_MS ENABLE_MEMORY_CACHE MEMORY_CACHE_MAX_SIZE ENABLE_REDIS_CACHE
REFERENCE_CACHE_TTL_DAYS PARTITION_RETENTION_MONTHS LOG_LEVEL ENABLE_METRICS METRICS_PORT
""",
    )
)


def rows() -> dict[str, str]:
    """Each variable of the page and the text of its default."""
    return dict(re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \| ([^|]*) \|", PAGE, re.MULTILINE))


def calls(path: Path) -> list[ast.Call]:
    """Every `env.<reader>("NAME", …)`."""
    return [
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
    ]


def read_names() -> set[str]:
    files = (ROOT / "paymentsite" / name for name in ("settings.py", "databases.py"))
    first = [call.args[0] for path in files for call in calls(path)]
    return {str(name.value) for name in first if isinstance(name, ast.Constant)}


def test_the_page_lists_exactly_what_the_settings_read() -> None:
    read = read_names() | OUTSIDE
    assert len(read) > 40
    assert read - set(rows()) == set(), "Add these to docs/settings.md."
    assert set(rows()) - read == set(), "Nobody reads these: take them out of docs/settings.md."


def test_every_variable_of_the_seed_plan_is_there() -> None:
    assert SEED - set(rows()) == set()


def test_no_variable_is_listed_twice() -> None:
    listed = re.findall(r"^\| `([A-Z][A-Z0-9_]*)`", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(set(listed))


def test_the_defaults_of_the_page_are_those_of_the_code() -> None:
    different = {}
    for call in calls(ROOT / "paymentsite" / "settings.py"):
        default = _default(call)
        name = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        if default and isinstance(name, str) and rows()[name].strip().strip("`") != default:
            different[name] = (rows()[name], default)
    assert different == {}, "The page says the first, the code the second."


def _default(call: ast.Call) -> str | None:
    """A default that is written as a constant, in the page's words; None for those that are worked out."""
    given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "default")]
    if not given or not isinstance(given[0], ast.Constant):
        return None
    value = given[0].value
    return str(value).lower() if isinstance(value, bool) else str(value)
