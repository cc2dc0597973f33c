"""What happened to one record, for its page."""

from __future__ import annotations

from kernel.audit.models import AuditEntry
from kernel.audit.querysets import Subject

ENTRIES_SHOWN = 100


def timeline(subject: Subject, *, limit: int = ENTRIES_SHOWN) -> list[AuditEntry]:
    """The audit entries about a record, newest first, at most `limit`."""
    return list(AuditEntry.objects.about(subject)[:limit])
