"""Changing the keys that encrypt single columns: every such column of every app, in one job."""

from __future__ import annotations

from django.apps import AppConfig


class FieldKeysConfig(AppConfig):
    name = "kernel.fieldkeys"
    label = "fieldkeys"
    verbose_name = "Keys of encrypted columns"
