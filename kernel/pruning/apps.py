"""What is kept for how long: declared by each app, pruned every day and on demand."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class PruningConfig(AppConfig):
    name = "kernel.pruning"
    label = "pruning"
    verbose_name = "Pruning"

    def ready(self) -> None:
        # An app declares what is prunable of its own in a module of that name.
        autodiscover_modules("prunables")
