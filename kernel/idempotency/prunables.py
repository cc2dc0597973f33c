"""How long a key is remembered."""

from __future__ import annotations

from kernel.pruning.registry import Prunable, register
from kernel.pruning.tables import TableRows

register(
    Prunable(
        "idempotent-requests",
        "Answers kept for idempotency keys",
        "IDEMPOTENCY_RETENTION_DAYS",
        TableRows("idempotent_request", age="created_at"),
    )
)
