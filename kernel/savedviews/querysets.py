"""Reads of saved views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from kernel.savedviews.models import SavedView  # noqa: F401 -- named in the base class below


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def seen_by(self, user_id: int | None) -> Self:
        """Their own, and what others share."""
        return self.filter(Q(owner_id=user_id or 0) | Q(is_shared=True))

    def of_list(self, list_name: str) -> Self:
        """Of one list, named as `app.model` in lower case, in the order of the tabs."""
        return self.filter(list_name=list_name).order_by("name", "pk")
