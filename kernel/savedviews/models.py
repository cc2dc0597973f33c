"""A list's filters under a name. A setting of people, no business fact: it may be changed and removed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from kernel.savedviews.addresses import LONGEST
from kernel.savedviews.querysets import SavedViewQuerySet


class SavedView(models.Model):
    """What one person saved of one list; `query` is the list's address after the question mark."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # The list's model as `app.model` in lower case.
    list_name = models.CharField(max_length=100)
    name = models.CharField(max_length=60, help_text="What the tab says.")
    description = models.CharField(
        max_length=200, blank=True, default="", help_text="What it is for; shown when the pointer rests on the tab."
    )
    query = models.CharField(max_length=LONGEST, help_text="The part of the list's address after the question mark.")
    is_shared = models.BooleanField(
        "shared", default=False, help_text="Everybody who may see the list gets this tab; only you can change it."
    )
    created_at = models.DateTimeField()

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        db_table = "saved_view"
        verbose_name = "saved view"
        default_permissions = ("view",)
        permissions = [("share_savedview", "Can share a saved view with everybody")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "list_name", "name"], name="saved_view_name"),
            models.CheckConstraint(
                name="saved_view_says_something", condition=~Q(name="") & ~Q(list_name="") & ~Q(query="")
            ),
        ]
        indexes = [models.Index(fields=["list_name", "name"], name="saved_view_list")]

    def __str__(self) -> str:
        return self.name
