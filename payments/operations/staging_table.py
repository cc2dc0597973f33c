"""Makes the staging table where no ETL has made it: for the embedded default, for tests and for trials."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from kernel.transactions import unit_of_work
from payments.recorder import SQL_FOLDER, staging_table


def staging_table_exists() -> bool:
    """True when the table that STAGING_TABLE names is there and can be seen."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass(%s) is not null", [staging_table()])
        return bool(cursor.fetchone()[0])


@unit_of_work
def create_staging_table() -> bool:
    """Creates the table by the seed plan's definition, with its schema; False when it was there already."""
    if staging_table_exists():
        return False
    schema, _ = settings.STAGING_TABLE
    with connection.cursor() as cursor:
        if schema:
            cursor.execute(f"create schema if not exists {connection.ops.quote_name(schema)}")
        cursor.execute((SQL_FOLDER / "create_staging_table.sql").read_text().format(staging_table=staging_table()))
    return True
