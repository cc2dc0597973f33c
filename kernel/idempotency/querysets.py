"""Reads of kept requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from kernel.idempotency.models import IdempotentRequest


class IdempotentRequestQuerySet(models.QuerySet["IdempotentRequest"]):
    def under(self, *, caller_kind: str, caller_id: str, key: str) -> IdempotentRequest | None:
        """The request that this caller sent under this key, if any."""
        return self.filter(caller_kind=caller_kind, caller_id=caller_id, key=key).first()
