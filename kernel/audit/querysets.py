"""Reads over the audit: what happened to one record, and what happened together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from kernel.audit.models import AuditEntry  # noqa: F401 -- named in the base class below

Subject = models.Model | tuple[str, str]


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def about(self, subject: Subject) -> Self:
        """Entries about one record, newest first. A subject is a saved record, or (object type, object id)."""
        object_type, object_id = identify(subject)
        return self.filter(object_type=object_type, object_id=object_id).order_by("-id")


def identify(subject: Subject) -> tuple[str, str]:
    """(object type, object id) of a subject; a record's type is `app.model` in lower case."""
    if isinstance(subject, models.Model):
        if subject.pk is None:
            raise ValueError(f"A {subject._meta.label_lower} that is not saved cannot be the subject of an entry.")
        return subject._meta.label_lower, str(subject.pk)
    return subject
