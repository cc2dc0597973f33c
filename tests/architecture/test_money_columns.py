"""Every column that holds money is kept in bounds by the database itself, whoever writes."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

from kernel.fields import MoneyField
from tests.architecture.sources import PRODUCT

pytestmark = pytest.mark.django_db
CHECKED = """
    select c.relname, a.attname from pg_constraint o
    join pg_class c on c.oid = o.conrelid
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any (o.conkey)
    where o.contype = 'c' and c.relnamespace = 'public'::regnamespace
"""
# Written by another system, and read as it is: what cannot be recorded is put aside with its reasons.
OUTSIDE = {"payment_staging"}


def money_columns() -> set[tuple[str, str]]:
    return {
        (model._meta.db_table, str(field.column))
        for model in apps.get_models()
        if model.__module__.split(".")[0] in PRODUCT and model._meta.db_table not in OUTSIDE
        for field in model._meta.local_concrete_fields
        if isinstance(field, MoneyField)
    }


def test_every_amount_has_a_check_constraint() -> None:
    with connection.cursor() as cursor:
        cursor.execute(CHECKED)
        checked = set(cursor.fetchall())

    columns = money_columns()
    assert len(columns) > 30
    assert sorted(f"{table}.{column}" for table, column in columns - checked) == []
    assert ("tax_rate", "rate") in checked
