"""Reads and locks over API clients and keys."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from accounts.models import ApiClient, ApiKey


class ApiClientQuerySet(models.QuerySet["ApiClient"]):
    def lock(self, pk: int) -> list[ApiClient]:
        """The row of this key, locked until the unit of work ends; an empty list when there is none."""
        return list(self.filter(pk=pk).select_for_update(of=("self",)))


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def lock(self, pk: int) -> list[ApiKey]:
        """The row of this key with its client, locked until the unit of work ends; an empty list when there is none."""
        return list(self.filter(pk=pk).select_related("client").select_for_update(of=("self",)))

    def usable(self, at: datetime) -> Self:
        """Neither revoked nor expired, of an active client."""
        not_expired = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=at)
        return self.filter(not_expired, revoked_at__isnull=True, client__active=True)
