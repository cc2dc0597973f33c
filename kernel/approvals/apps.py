"""The approvals app: what one person asks for, a second one agrees to, and a worker carries out once."""

from __future__ import annotations

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "kernel.approvals"
    label = "approvals"
    verbose_name = "Approvals"
