"""What happened to one record, or to one and those that belong to it, for its page."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from kernel.audit.models import AuditEntry
from kernel.audit.querysets import Subject, identify

ENTRIES_SHOWN = 100


def timeline(subject: Subject, *, limit: int = ENTRIES_SHOWN) -> list[AuditEntry]:
    """The audit entries about a record, newest first, at most `limit`."""
    return list(AuditEntry.objects.about(subject)[:limit])


def timeline_of(subjects: Sequence[Subject], *, limit: int = ENTRIES_SHOWN) -> list[AuditEntry]:
    """The audit entries about any of the subjects in one query, newest first, at most `limit`."""
    ids: dict[str, list[str]] = {}
    for object_type, object_id in map(identify, subjects):
        ids.setdefault(object_type, []).append(object_id)
    if not ids:
        return []
    about = Q()
    for object_type, object_ids in ids.items():
        about |= Q(object_type=object_type, object_id__in=object_ids)
    return list(AuditEntry.objects.filter(about).order_by("-id")[:limit])
