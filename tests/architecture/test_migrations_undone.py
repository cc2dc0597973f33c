"""Every migration of ours is really undone, on a database of its own, and made again to the same schema."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from django.apps import apps
from django.db import connection

from tests.architecture.sources import PRODUCT, ROOT

pytestmark = pytest.mark.django_db(transaction=True)
SCRATCH = f"undone_{os.getpid()}"
UNDO = """
import sys, django
django.setup()
from django.core.management import call_command
for label in sys.argv[1:]:
    call_command("migrate", label, "zero", verbosity=0)
"""
IN_PUBLIC = "relnamespace = 'public'::regnamespace"
# What the database is made of, as text: columns, constraints, indexes, triggers, functions and sequences.
SCHEMA = f"""
    select 'column', c.relname || '.' || a.attname,
           format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' '
           || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relkind in ('r', 'p') and c.{IN_PUBLIC}
    union all
    select 'constraint', c.relname || '.' || o.conname, pg_get_constraintdef(o.oid) || ' ' || o.convalidated
    from pg_constraint o join pg_class c on c.oid = o.conrelid where c.{IN_PUBLIC}
    union all
    select 'index', c.relname, pg_get_indexdef(c.oid) from pg_class c where c.relkind in ('i', 'I') and c.{IN_PUBLIC}
    union all
    select 'trigger', c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
    from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal and c.{IN_PUBLIC}
    union all
    select 'function', p.proname, p.prosrc from pg_proc p
    where p.pronamespace = 'public'::regnamespace and not exists (
        select from pg_depend e where e.objid = p.oid and e.deptype = 'e')
    union all
    select 'sequence', c.relname, '' from pg_class c where c.relkind = 'S' and c.{IN_PUBLIC}
    order by 1, 2
"""


@pytest.fixture
def scratch() -> Iterator[str]:
    """The address of an empty database on the server of the tests."""
    with connection.cursor() as cursor:
        cursor.execute(f"create database {SCRATCH}")
    yield _address()
    with connection.cursor() as cursor:
        cursor.execute(f"drop database {SCRATCH} with (force)")


def _address() -> str:
    given: dict[str, Any] = connection.settings_dict
    login = quote(given["USER"], safe="") + (f":{quote(given['PASSWORD'], safe='')}" if given["PASSWORD"] else "")
    where = {name: given[key] for name, key in (("host", "HOST"), ("port", "PORT")) if given[key]}
    return f"postgresql://{login}@/{SCRATCH}?{urlencode(where)}"


def run(address: str, *arguments: str) -> None:
    environment = os.environ | {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "paymentsite.settings"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def schema(address: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(address) as scratch_connection:
        return scratch_connection.execute(SCHEMA).fetchall()


def ours() -> list[str]:
    """Our apps, those that build on others first."""
    above = ("invoices", "accounts", "payments", "catalogue")
    labels = [app.label for app in apps.get_app_configs() if app.name.split(".")[0] in PRODUCT and _has_models(app)]
    return sorted(labels, key=lambda label: (above.index(label) if label in above else len(above), label))


def _has_models(app: Any) -> bool:
    return any(model._meta.managed for model in app.get_models())


def test_what_the_migrations_made_is_undone_to_nothing_and_made_again_the_same(scratch: str) -> None:
    run(scratch, "manage.py", "migrate", "--verbosity=0")
    first = schema(scratch)
    tables = {apps.get_model(label, name)._meta.db_table for label in ours() for name in apps.all_models[label]}
    assert {"invoice", "payment_account", "fee_schedule", "idempotent_request", "payments"} <= tables

    run(scratch, "-c", UNDO, *ours())
    left = [(kind, name) for kind, name, _ in schema(scratch) if kind != "function"]
    assert {name for kind, name in left if kind == "column" and name.split(".")[0] in tables} == set()
    assert [name for kind, name, _ in schema(scratch) if kind == "function"] == []

    run(scratch, "manage.py", "migrate", "--verbosity=0")
    assert schema(scratch) == first
