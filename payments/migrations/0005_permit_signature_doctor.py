from django.db import migrations

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_create_partition_archive")]

    operations = [
        TimeLimits(),
        migrations.AlterModelOptions(
            name="webhookreceipt",
            options={"permissions": [("diagnose_signature", "Can ask why a webhook request was refused")]},
        ),
    ]
