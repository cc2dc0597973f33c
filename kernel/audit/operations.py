"""Records who did what to which record, and why, in the transaction of the act itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from structlog.contextvars import get_contextvars

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.audit.querysets import Subject, identify
from kernel.transactions import inside_unit_of_work

LABEL_LIMIT = 200


@inside_unit_of_work
def record_entry(
    *,
    actor: Actor,
    action: str,
    subject: Subject,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    at: datetime,
    change_set: UUID | None = None,
    source: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Adds one entry; it commits or disappears together with the act that it describes.

    `action` is `thing.past-participle` (`rejection.dismissed`). `subject` is a saved record or (object type, id).
    `before` and `after` hold only what changed, and never a secret. The request id comes from the log context.
    """
    object_type, object_id = identify(subject)
    return AuditEntry.objects.create(
        recorded_at=at,
        actor=actor.name,
        actor_kind=actor.kind.value,
        user_id=actor.user_id,
        action=action,
        object_type=object_type,
        object_id=object_id,
        object_label=str(subject)[:LABEL_LIMIT] if isinstance(subject, models.Model) else "",
        reason=reason,
        before=before,
        after=after,
        request_id=str(get_contextvars().get("request_id", "")),
        change_set=change_set,
        source=source,
    )
