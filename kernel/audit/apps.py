"""The audit app: who did what to which record, and why, in rows that nobody can change afterwards."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "kernel.audit"
    label = "audit"
    verbose_name = "Audit"
