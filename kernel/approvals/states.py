"""The life of a request for approval: statuses, legal moves, final ones."""

from __future__ import annotations

from enum import StrEnum


class ApprovalStatus(StrEnum):
    # Asked for; a second person has not decided yet.
    PENDING = "pending"
    # A second person agreed; a worker carries it out.
    APPROVED = "approved"
    # A second person said no.
    REFUSED = "refused"
    # Whoever asked took it back.
    WITHDRAWN = "withdrawn"
    # It was not carried out in time.
    EXPIRED = "expired"
    # It was carried out, once.
    EXECUTED = "executed"


class PrincipalKind(StrEnum):
    """Who can ask and decide; the system can do neither."""

    # A person, known by the number of their user.
    STAFF = "staff"
    # A partner's system, known by the short name of the API client.
    API_CLIENT = "api_client"


MOVES: dict[ApprovalStatus, frozenset[ApprovalStatus]] = {
    ApprovalStatus.PENDING: frozenset(
        {ApprovalStatus.APPROVED, ApprovalStatus.REFUSED, ApprovalStatus.WITHDRAWN, ApprovalStatus.EXPIRED}
    ),
    # Not carried out yet, because it is void or its run failed: it can still be taken back.
    ApprovalStatus.APPROVED: frozenset({ApprovalStatus.EXECUTED, ApprovalStatus.WITHDRAWN, ApprovalStatus.EXPIRED}),
    ApprovalStatus.REFUSED: frozenset(),
    ApprovalStatus.WITHDRAWN: frozenset(),
    ApprovalStatus.EXPIRED: frozenset(),
    ApprovalStatus.EXECUTED: frozenset(),
}
FINAL = frozenset(status for status, targets in MOVES.items() if not targets)
LIVE = frozenset(MOVES) - FINAL
# What only a second person can have brought about, so that its name stands on the row.
DECIDED = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REFUSED, ApprovalStatus.EXECUTED})


def may_move(current: str, target: ApprovalStatus) -> bool:
    return target in MOVES[ApprovalStatus(current)]
