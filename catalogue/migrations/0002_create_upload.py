"""The table of files that wait between the preview of an import and its confirmation."""

from __future__ import annotations

import uuid

from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0001_create_catalogue"),
    ]

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="UploadedTable",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("content", models.BinaryField()),
                ("uploaded_at", models.DateTimeField()),
            ],
            options={
                "db_table": "catalogue_upload",
                "default_permissions": (),
            },
        ),
    ]
