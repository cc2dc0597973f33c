from django.db import migrations, models
from django.db.models.functions import Now

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_create_payment_records")]

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="PreviousReference",
            fields=[
                ("reference_number", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("payment_id", models.UUIDField()),
                ("payment_date", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "db_table": "payment_references_previous",
                "indexes": [models.Index(fields=["created_at"], name="idx_payment_refs_previous")],
            },
        ),
        migrations.CreateModel(
            name="ReferenceHistory",
            fields=[
                ("reference_number", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("payment_id", models.UUIDField()),
                ("payment_date", models.DateTimeField()),
                ("created_at", models.DateTimeField(help_text="When the reference was claimed.")),
                ("content_digest", models.CharField(max_length=32)),
            ],
            options={"db_table": "payment_references_history"},
        ),
    ]
