from __future__ import annotations

from django.apps import AppConfig


class MeasurementsConfig(AppConfig):
    name = "kernel.measurements"
    verbose_name = "Operations"
