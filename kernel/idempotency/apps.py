"""The idempotency app: answers that are kept, so that a repeated request has no second effect."""

from __future__ import annotations

from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    name = "kernel.idempotency"
    label = "idempotency"
    verbose_name = "Idempotency"
