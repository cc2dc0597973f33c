"""The test run's servers, and a database that is emptied between tests although its tables refuse it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from tests.servers import TestServers

if TYPE_CHECKING:
    from django.db.backends.base.operations import BaseDatabaseOperations

# All this happens at import, before any other test module is: settings are read once, and they name the servers.
# That is why DJANGO_SETTINGS_MODULE stands here and not in pyproject.toml, where pytest-django would be too early.
if settings.configured:
    raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE and --ds: the tests choose the settings after their servers.")
os.environ["NODE_ENV"] = "test"
os.environ["DJANGO_SETTINGS_MODULE"] = "paymentsite.settings"
# Tests of many requests at once are one client to the rate limit; its own tests set a limit that they reach.
os.environ.setdefault("API_RATE_LIMIT", "1000000")
servers = TestServers()
atexit.register(servers.stop)
if "PYTEST_XDIST_WORKER" in os.environ:
    servers.join(os.environ["PYTEST_XDIST_WORKER"])
else:
    servers.start()
django.setup()
# Only now: its modules are those of Django's apps.
from console import overview  # noqa: E402

# No test collects the static files, and WhiteNoise warns of a folder that is not there.
Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
# Not left for the workers of pytest-xdist to inherit, in which pytest-django would be too early once more.
del os.environ["DJANGO_SETTINGS_MODULE"]

# Rows that `migrate` makes and that no test changes; to make them again after each test would cost more than the test.
KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission")
EMPTY_EVERY_TABLE = f"""
DO $$
DECLARE
    candidate regclass;
    has_rows boolean;
BEGIN
    FOR candidate IN
        SELECT oid FROM pg_class
        WHERE relkind IN ('r', 'p') AND NOT relispartition
          AND relnamespace NOT IN (SELECT oid FROM pg_namespace
                                   WHERE nspname ~ '^pg_' OR nspname = 'information_schema')
          AND relname NOT IN {KEPT_TABLES}
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', candidate) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('DELETE FROM %s', candidate);
        END IF;
    END LOOP;
END
$$
"""


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(servers.stop)


@pytest.fixture(scope="session", autouse=True)
def _append_only_tables_can_be_emptied() -> Generator[None]:
    """Takes the place of Django's TRUNCATE, which the append-only tables refuse by trigger.

    Triggers rest for this one statement list only, so a test still meets every one of them. DELETE from the few
    tables that have rows is also many times faster than TRUNCATE of all.
    """
    operations = type(connection.ops)
    execute = operations.execute_sql_flush

    def empty_every_table(self: BaseDatabaseOperations, statements: list[str]) -> None:
        execute(self, ["SET LOCAL session_replication_role = replica", EMPTY_EVERY_TABLE])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", empty_every_table)
        yield


@pytest.fixture
def kept_sidebar(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """The sidebar's counts are asked for once in this test, not every few seconds: queries of two looks compare."""
    cache.clear()
    monkeypatch.setattr(overview, "KEPT_SECONDS", 600)
    yield
    cache.clear()
