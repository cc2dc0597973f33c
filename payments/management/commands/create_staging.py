"""`manage.py create_staging`: makes the staging table where no ETL has made it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from payments.operations.staging_table import create_staging_table


class Command(BaseCommand):
    help = "Makes the staging table (STAGING_TABLE) by the seed plan's definition, when it is not there."

    def handle(self, *args: Any, **options: Any) -> None:
        name = ".".join(part for part in settings.STAGING_TABLE if part)
        made = create_staging_table()
        self.stdout.write(f"{name} is made." if made else f"{name} was there already; nothing is changed.")
