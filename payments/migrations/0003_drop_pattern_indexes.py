from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from kernel.migrations import TimeLimits

TABLES = ("payment_references", "payment_references_previous", "payment_references_history")


def drop_pattern_indexes(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            """
            select indexrelid::regclass::text from pg_index
            join pg_class on pg_class.oid = indexrelid
            where indrelid::regclass::text = any (%s) and relname like '%%\\_like'
            """,
            [list(TABLES)],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"drop index {name}")


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_generations_of_references")]

    operations = [
        TimeLimits(),
        # For LIKE, which nobody asks of a reference; on the gate it would cost a second insert for every payment. Nothing
        # depends on them, so that there is nothing to bring back either.
        migrations.RunPython(drop_pattern_indexes, migrations.RunPython.noop),
    ]
