"""Money received, as facts."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from kernel.checks import zones_agree


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        register(zones_agree, Tags.database)
