"""Reads over notes and files: those about some records, and those whose words match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.expressions import RawSQL

if TYPE_CHECKING:
    from kernel.notes.models import Attachment, Note  # noqa: F401 -- named in the base classes below

# As the index has it, letter for letter, so that PostgreSQL sees that it can use it.
WORDS = "to_tsvector('english'::regconfig, coalesce(\"note\".\"body\", ''))"


def about_any(subjects: Iterable[tuple[str, str]]) -> models.Q:
    """The condition that a row is about one of the subjects, which are pairs of object type and object id."""
    ids: dict[str, list[str]] = {}
    for object_type, object_id in subjects:
        ids.setdefault(object_type, []).append(object_id)
    condition = models.Q(pk__in=[])
    for object_type, object_ids in ids.items():
        condition |= models.Q(object_type=object_type, object_id__in=object_ids)
    return condition


class NoteQuerySet(models.QuerySet["Note"]):
    def about(self, subjects: Iterable[tuple[str, str]]) -> Self:
        """Notes about any of the subjects, the latest first."""
        return self.filter(about_any(subjects)).order_by("-id")

    def matching(self, text: str) -> Self:
        """Notes with all words of the text, in any form ("refunded" finds "refund"); "quoted" words in a row."""
        condition = RawSQL(  # noqa: S611 -- the text is a parameter
            f"{WORDS} @@ websearch_to_tsquery('english'::regconfig, %s)", [text], output_field=models.BooleanField()
        )
        return self.filter(condition)


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def about(self, subjects: Iterable[tuple[str, str]]) -> Self:
        """Files on any of the subjects, the latest first, without their contents."""
        return self.filter(about_any(subjects)).defer("content").order_by("-id")
