"""The notes app: remarks and files on any record, with a panel on every record page."""

from __future__ import annotations

from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "kernel.notes"
    label = "notes"
    verbose_name = "Notes"

    def ready(self) -> None:
        # Models can be imported only when every app is loaded.
        from kernel.notes.panel import register

        register()
