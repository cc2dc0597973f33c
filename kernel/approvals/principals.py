"""Who asks and who decides: a member of staff by permission, an API client by scope; and when two are the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth import get_user_model

from kernel.approvals.models import ApprovalRequest
from kernel.approvals.states import PrincipalKind
from kernel.audit.actors import Actor, ActorKind
from kernel.errors import Forbidden


class NotYours(Forbidden):
    """Whoever asks may not ask for, decide or take back this request."""

    code = "approval-not-permitted"


@dataclass(frozen=True, slots=True)
class Principal:
    """One who can ask or decide. `user_id` is staff's only."""

    kind: PrincipalKind
    name: str
    user_id: int | None = None

    @classmethod
    def of(cls, actor: Actor) -> Principal:
        """The principal behind an actor: any actor with a user, or an API client. Raises NotYours for the system."""
        if actor.user_id is not None:
            return cls(PrincipalKind.STAFF, actor.name, actor.user_id)
        if actor.kind == ActorKind.API_CLIENT:
            return cls(PrincipalKind.API_CLIENT, actor.name)
        raise NotYours(f"{actor} is neither a member of staff nor an API client.")

    @classmethod
    def who_asked(cls, request: ApprovalRequest) -> Principal:
        return cls(PrincipalKind(request.requested_by_kind), request.requested_by, request.requested_by_id)

    @classmethod
    def who_decided(cls, request: ApprovalRequest) -> Principal:
        # Rows from before API clients could decide have no kind.
        kind = PrincipalKind(request.decided_by_kind or PrincipalKind.STAFF)
        return cls(kind, request.decided_by, request.decided_by_id)

    def as_actor(self) -> Actor:
        if self.kind == PrincipalKind.API_CLIENT:
            return Actor.api_client(self.name)
        return Actor(ActorKind.STAFF, self.name, self.user_id)

    def is_same_as(self, other: Principal) -> bool:
        """True for one user under any name, and for one name of one kind."""
        if self.user_id is not None and self.user_id == other.user_id:
            return True
        return (self.kind, self.name) == (other.kind, other.name)


def require(actor: Actor, *, permission: str, scope: str, scopes: Collection[str]) -> Principal:
    """The actor's principal. Raises NotYours when it lacks the permission (staff) or the scope (API clients)."""
    principal = Principal.of(actor)
    if _holds(principal, permission, scope, scopes):
        return principal
    if principal.kind == PrincipalKind.STAFF:
        raise NotYours(f"{actor} lacks the permission {permission}.")
    raise NotYours(
        f"{actor} lacks the scope {scope}." if scope else f"{actor} is an API client: only staff may do this."
    )


def holds(actor: Actor, *, permission: str, scope: str, scopes: Collection[str]) -> bool:
    """Whether `require` would find the actor entitled."""
    try:
        require(actor, permission=permission, scope=scope, scopes=scopes)
    except NotYours:
        return False
    return True


def _holds(principal: Principal, permission: str, scope: str, scopes: Collection[str]) -> bool:
    if principal.kind == PrincipalKind.API_CLIENT:
        return bool(scope) and scope in scopes
    # Asked of the database each time: what a page or a message says of a person may be out of date.
    user = get_user_model()._default_manager.filter(pk=principal.user_id or 0, is_active=True).first()
    return user is not None and user.has_perm(permission)
