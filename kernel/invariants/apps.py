"""What must always be true: declared by each app, looked at every night and on demand."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class InvariantsConfig(AppConfig):
    name = "kernel.invariants"
    label = "invariants"
    verbose_name = "Invariants"

    def ready(self) -> None:
        # An app declares its invariants in a module of that name; `ground` holds those of the kernel's own tables.
        autodiscover_modules("invariants", "ground")
