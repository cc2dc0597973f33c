"""Reads and locks over requests for approval."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from kernel.approvals.states import LIVE, ApprovalStatus

if TYPE_CHECKING:
    from kernel.approvals.models import ApprovalRequest

# What waits for the person who looks, what waits for somebody else, what is settled.
MINE_TO_DECIDE, UNDER_WAY, SETTLED = 0, 1, 2


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def lock(self, pks: Iterable[int]) -> list[ApprovalRequest]:
        """The rows of these keys, locked in order of their keys until the unit of work ends."""
        return list(self.filter(pk__in=list(pks)).order_by("pk").select_for_update(of=("self",)))

    def pending(self) -> Self:
        return self.filter(status=ApprovalStatus.PENDING)

    def overdue(self, at: datetime) -> Self:
        """Not carried out, although their time is over."""
        return self.filter(status__in=sorted(LIVE), expires_at__lte=at)

    def lock_overdue(self, at: datetime) -> list[ApprovalRequest]:
        """The overdue rows, locked; PostgreSQL tests the condition again on each row that it locked."""
        return list(self.overdue(at).order_by("pk").select_for_update(of=("self",)))

    def with_turn(self, *, user_id: int, kinds: Collection[str]) -> Self:
        """Adds `turn`: MINE_TO_DECIDE for what this person may decide (they may approve `kinds` and did not ask)."""
        mine = models.Q(status=ApprovalStatus.PENDING, kind__in=list(kinds)) & ~models.Q(requested_by_id=user_id)
        return self.annotate(
            turn=models.Case(
                models.When(mine, then=MINE_TO_DECIDE),
                models.When(status__in=sorted(LIVE), then=UNDER_WAY),
                default=SETTLED,
                output_field=models.IntegerField(),
            )
        )
