"""Makes the database itself refuse to rewrite an event."""

from __future__ import annotations

from django.db import migrations

from kernel.migrations import AppendOnly, TimeLimits


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_create_outbox")]

    operations = [TimeLimits(), AppendOnly("outbox_event")]
