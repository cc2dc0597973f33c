"""Asking for approval, deciding, and carrying out what was approved: once, and only while it is what was approved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from kernel import exactjson
from kernel.approvals.content import canonical, differences, digest_of
from kernel.approvals.models import ApprovalRequest, IllegalApprovalMove
from kernel.approvals.registry import ApprovalKind, Execution, find_kind
from kernel.approvals.states import ApprovalStatus
from kernel.audit.actors import Actor, ActorKind
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, Forbidden, NotFound, Refused
from kernel.jobs.operations import queue_job
from kernel.transactions import inside_unit_of_work, unit_of_work

EXECUTION_JOB = "execute_approval"
SYSTEM = Actor.system("approvals")


class ApprovalRefused(Refused):
    """The request says too little."""

    code = "approval-incomplete"
    next_step = "Give a reason; the ticket is optional."


class NotYours(Forbidden):
    """This person may not ask for, decide or take back this request."""

    code = "approval-not-permitted"


class OwnRequest(Forbidden):
    """Nobody approves what they asked for themselves."""

    code = "approval-own-request"
    next_step = "Ask another person who may approve it; withdraw it if it is no longer wanted."


class ApprovalExpired(Conflict):
    """The request was not decided in time."""

    code = "approval-expired"
    next_step = "Ask again: the new request shows what is there now."


class ApprovalVoid(Conflict):
    """What was asked for is not what is there now, so it is not carried out."""

    code = "approval-void"
    title = "The approval is void"
    next_step = "Ask again: the new request shows what is there now."


class NoSuchRequest(NotFound):
    """There is no request for approval of this number."""

    code = "unknown-approval-request"


@inside_unit_of_work
def request_approval(
    kind_name: str, content: Mapping[str, Any], *, actor: Actor, reason: str, ticket: str = "", at: datetime
) -> ApprovalRequest:
    """Asks a second person for `content`, as a step; it expires after APPROVAL_EXPIRY_HOURS.

    The actor is a person with a user, at the console or at the command line. Raises UnknownKind, NotYours without
    the kind's permission, ApprovalRefused without a reason.
    """
    kind = find_kind(kind_name)
    user_id = _require(actor, kind.may_request)
    if not reason.strip():
        raise ApprovalRefused("Say why this is asked for: whoever approves it decides by that.")
    text = canonical(content)
    request = ApprovalRequest.objects.create(
        kind=kind.name,
        content=text,
        content_hash=digest_of(text),
        summary=kind.summarise(exactjson.loads(text)),
        requested_by_id=user_id,
        requested_by=actor.name,
        reason=reason.strip(),
        ticket=ticket.strip(),
        requested_at=at,
        expires_at=at + timedelta(hours=settings.APPROVAL_EXPIRY_HOURS),
        status=ApprovalStatus.PENDING,
        status_since=at,
    )
    _note(request, "approval.requested", actor=actor, reason=request.reason, at=at, hash=request.content_hash)
    return request


@unit_of_work
def approve(request_id: int, *, actor: Actor, reason: str = "", at: datetime) -> ApprovalRequest:
    """Agrees to the request and queues its execution.

    Raises OwnRequest, NotYours, IllegalApprovalMove when it is not pending, ApprovalExpired, and ApprovalVoid when
    what was asked for is not there any more; nothing changes then.
    """
    request, kind = _for_decision(request_id, actor, at=at)
    _require_unchanged(request, kind)
    _decide(request, ApprovalStatus.APPROVED, actor=actor, reason=reason, at=at)
    request.run_id = queue_job(EXECUTION_JOB, parameters={"request_id": request.pk}, actor=actor, at=at).pk
    request.save()
    _note(request, "approval.approved", actor=actor, reason=request.decision_reason, at=at, hash=request.content_hash)
    return request


@unit_of_work
def refuse(request_id: int, *, actor: Actor, reason: str, at: datetime) -> ApprovalRequest:
    """Says no. Raises as approve does, but for ApprovalVoid, and ApprovalRefused without a reason."""
    if not reason.strip():
        raise ApprovalRefused("Say why it is refused: whoever asked reads that.")
    request, _ = _for_decision(request_id, actor, at=at)
    _decide(request, ApprovalStatus.REFUSED, actor=actor, reason=reason, at=at)
    request.save()
    _note(request, "approval.refused", actor=actor, reason=request.decision_reason, at=at)
    return request


@unit_of_work
def withdraw(request_id: int, *, actor: Actor, reason: str, at: datetime) -> ApprovalRequest:
    """Takes one's own request back, also an approved one that was not carried out. Raises NotYours for others."""
    request = _locked(request_id)
    if actor.user_id != request.requested_by_id:
        raise NotYours(f"Only {request.requested_by} can take back what they asked for.")
    request._move_to(ApprovalStatus.WITHDRAWN, at=at)
    request.save()
    _note(request, "approval.withdrawn", actor=actor, reason=reason.strip(), at=at)
    return request


@unit_of_work
def expire_overdue(*, at: datetime) -> list[ApprovalRequest]:
    """Ends every request whose time is over before it was carried out; gives them."""
    overdue = ApprovalRequest.objects.lock_overdue(at)
    for request in overdue:
        request._move_to(ApprovalStatus.EXPIRED, at=at)
        request.save()
        _note(request, "approval.expired", actor=SYSTEM, reason="", at=at)
    return overdue


@unit_of_work
def ask_to_execute(request_id: int, *, actor: Actor, at: datetime) -> ApprovalRequest:
    """Queues the execution of an approved request once more, after a run that failed.

    Raises NotYours for who may neither ask for nor approve its kind, IllegalApprovalMove when it is not approved.
    """
    request = _locked(request_id)
    kind = find_kind(request.kind)
    if not (_holds(actor, kind.may_request) or _holds(actor, kind.may_approve)):
        raise NotYours(f"{actor} may not have this carried out.")
    _require_approved(request)
    request.run_id = queue_job(EXECUTION_JOB, parameters={"request_id": request.pk}, actor=actor, at=at).pk
    request.save()
    return request


@unit_of_work
def execute(request_id: int, *, at: datetime) -> dict[str, Any]:
    """Carries out an approved request and marks it as executed, in one transaction; gives what the kind says of it.

    Of several at once one wins; the others raise IllegalApprovalMove. Raises ApprovalExpired, and ApprovalVoid with
    the differences when the content is not what was approved; nothing is done then.
    """
    request = _locked(request_id)
    _require_approved(request)
    if request.expires_at <= at:
        raise ApprovalExpired(f"Request {request.pk} expired at {request.expires_at:%Y-%m-%d %H:%M} UTC.")
    kind = find_kind(request.kind)
    content = _require_unchanged(request, kind)
    approver = Actor(ActorKind.STAFF, request.decided_by, request.decided_by_id)
    execution = Execution(
        request_id=request.pk, requested_by=request.requested_by, reason=request.reason, actor=approver, at=at
    )
    request.result = kind.execute(content, execution)
    request._move_to(ApprovalStatus.EXECUTED, at=at)
    request.save()
    _note(request, "approval.executed", actor=approver, reason=request.reason, at=at, result=request.result)
    return request.result


@unit_of_work
def note_void(request_id: int, error: ApprovalVoid, *, at: datetime) -> None:
    """Keeps in the audit that an execution found the approval void, and what had changed."""
    found = error.context.get("differences", [])
    _note(_locked(request_id), "approval.found-void", actor=SYSTEM, reason=error.detail, at=at, differences=found)


def _for_decision(request_id: int, actor: Actor, *, at: datetime) -> tuple[ApprovalRequest, ApprovalKind]:
    request = _locked(request_id)
    kind = find_kind(request.kind)
    user_id = _require(actor, kind.may_approve)
    if user_id == request.requested_by_id or actor.name == request.requested_by:
        raise OwnRequest("You asked for this yourself: another person must decide.")
    if request.status == ApprovalStatus.PENDING and request.expires_at <= at:
        raise ApprovalExpired(f"Request {request.pk} expired at {request.expires_at:%Y-%m-%d %H:%M} UTC.")
    return request, kind


def _decide(request: ApprovalRequest, target: ApprovalStatus, *, actor: Actor, reason: str, at: datetime) -> None:
    request._move_to(target, at=at)
    request.decided_by_id, request.decided_by = actor.user_id, actor.name
    request.decided_at, request.decision_reason = at, reason.strip()


def _require_unchanged(request: ApprovalRequest, kind: ApprovalKind) -> Mapping[str, Any]:
    """The content, while it is what is there now. Raises ApprovalVoid."""
    approved: Mapping[str, Any] = exactjson.loads(request.content)
    now = kind.current(approved)
    if digest_of(canonical(now)) != request.content_hash:
        found = [str(difference) for difference in differences(approved, now)]
        raise ApprovalVoid(f"Request {request.pk} is void: {'; '.join(found)}.", ids=[request.pk], differences=found)
    return approved


def _require_approved(request: ApprovalRequest) -> None:
    if request.status != ApprovalStatus.APPROVED:
        raise IllegalApprovalMove(
            f"Request {request.pk} is {request.status}, and only an approved one is carried out.", ids=[request.pk]
        )


def _locked(request_id: int) -> ApprovalRequest:
    requests = ApprovalRequest.objects.lock([request_id])
    if not requests:
        raise NoSuchRequest(f"There is no request for approval {request_id}.")
    return requests[0]


def _require(actor: Actor, permission: str) -> int:
    """The number of the actor's user. Raises NotYours when there is none, or without the permission."""
    if actor.user_id is None or not _holds(actor, permission):
        raise NotYours(f"{actor} lacks the permission {permission}.")
    return actor.user_id


def _holds(actor: Actor, permission: str) -> bool:
    # Asked of the database each time: what a page or a message says of a person may be out of date.
    if actor.user_id is None:
        return False
    user = get_user_model()._default_manager.filter(pk=actor.user_id, is_active=True).first()
    return user is not None and user.has_perm(permission)


def _note(request: ApprovalRequest, action: str, *, actor: Actor, reason: str, at: datetime, **more: Any) -> None:
    after = {"status": request.status, **more}
    record_entry(actor=actor, action=action, subject=request, after=after, reason=reason, at=at)
