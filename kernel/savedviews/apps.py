"""The app of saved views."""

from __future__ import annotations

from django.apps import AppConfig


class SavedViewsConfig(AppConfig):
    name = "kernel.savedviews"
    label = "savedviews"
    verbose_name = "Saved views"
