"""The jobs app: work over many rows that can be watched, cancelled and asked for again."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class JobsConfig(AppConfig):
    name = "kernel.jobs"
    label = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        # An app declares its jobs in jobs.py or beside its tasks; the registry must know them in every process.
        autodiscover_modules("jobs", "tasks")
