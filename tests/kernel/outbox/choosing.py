"""Choosing events of today, and asking for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User

from kernel.approvals.models import ApprovalRequest
from kernel.audit.actors import Actor
from kernel.outbox.models import OutboxDelivery
from kernel.outbox.replays import (
    replay_selection,
)
from kernel.outbox.selection import EventFilter, select

DAY = timedelta(days=1)


def today(key: str = "", event_type: str = "") -> EventFilter:
    now = datetime.now(UTC)
    return EventFilter(now - DAY, now + DAY, key, event_type)


def now() -> datetime:
    return datetime.now(UTC)


def queued() -> list[int]:
    return list(OutboxDelivery.objects.order_by("position").values_list("position", flat=True))


def asked_for(operator: User, chosen: EventFilter | None = None, *, rate: int = 2000) -> ApprovalRequest:
    outcome = replay_selection(
        select(chosen or today()), rate=rate, actor=Actor.staff(operator), reason="lost", ticket="T-1", at=now()
    )
    assert outcome.approval is not None
    return outcome.approval
