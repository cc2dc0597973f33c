from django.db import migrations, models

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
                ("created_at", models.DateTimeField()),
            ],
            options={"db_table": "payment_references_previous"},
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
