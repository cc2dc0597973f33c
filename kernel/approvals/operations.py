"""Asking for approval, deciding, and carrying out what was approved: once, and only while it is what was approved."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from kernel import exactjson
from kernel.approvals.content import Difference, canonical, differences, digest_of
from kernel.approvals.models import ApprovalRequest, IllegalApprovalMove
from kernel.approvals.principals import NotYours, Principal, holds, require
from kernel.approvals.registry import ApprovalKind, Execution, UnknownKind, find_kind
from kernel.approvals.states import ApprovalStatus
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, Forbidden, NotFound, Refused
from kernel.jobs.operations import queue_job
from kernel.transactions import inside_unit_of_work, unit_of_work

EXECUTION_JOB = "execute_approval"
SYSTEM = Actor.system("approvals")
NO_SCOPES: Collection[str] = ()

log = logging.getLogger(__name__)


class ApprovalRefused(Refused):
    """The request says too little."""

    code = "approval-incomplete"
    next_step = "Give a reason; the ticket is optional."


class OwnRequest(Forbidden):
    """Nobody approves what they asked for themselves."""

    code = "approval-own-request"
    next_step = "Ask another person or API client that may approve it; withdraw it if it is no longer wanted."


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
    kind_name: str,
    content: Mapping[str, Any],
    *,
    actor: Actor,
    reason: str,
    ticket: str = "",
    at: datetime,
    scopes: Collection[str] = NO_SCOPES,
) -> ApprovalRequest:
    """Asks a second person or API client for `content`, as a step; it expires after APPROVAL_EXPIRY_HOURS.

    The actor is a person with a user, or an API client whose proven `scopes` hold the kind's `api_scope_request`.
    Raises UnknownKind, NotYours without the kind's permission or scope, ApprovalRefused without a reason.
    """
    kind = find_kind(kind_name)
    asker = require(actor, permission=kind.may_request, scope=kind.api_scope_request, scopes=scopes)
    if not reason.strip():
        raise ApprovalRefused("Say why this is asked for: whoever approves it decides by that.")
    text = canonical(content)
    request = ApprovalRequest.objects.create(
        kind=kind.name,
        content=text,
        content_hash=digest_of(text),
        summary=kind.summarise(exactjson.loads(text)),
        requested_by_kind=asker.kind,
        requested_by_id=asker.user_id,
        requested_by=asker.name,
        reason=reason.strip(),
        ticket=ticket.strip(),
        requested_at=at,
        expires_at=at + timedelta(hours=settings.APPROVAL_EXPIRY_HOURS),
        status=ApprovalStatus.PENDING,
        status_since=at,
        decided_by_kind="",
    )
    _note(request, "approval.requested", actor=actor, reason=request.reason, at=at, hash=request.content_hash)
    return request


@unit_of_work
def approve(
    request_id: int,
    *,
    actor: Actor,
    reason: str = "",
    at: datetime,
    scopes: Collection[str] = NO_SCOPES,
    carry_out_now: bool = False,
) -> ApprovalRequest:
    """Agrees to the request and queues its execution; carries it out at once when asked to, or when its kind says so.

    Raises OwnRequest, NotYours, IllegalApprovalMove when it is not pending, ApprovalExpired, and ApprovalVoid when
    what was asked for is not there any more; nothing changes then, nor when carrying it out raises.
    """
    return agree(request_id, actor=actor, reason=reason, at=at, scopes=scopes, carry_out_now=carry_out_now)


@inside_unit_of_work
def agree(
    request_id: int,
    *,
    actor: Actor,
    reason: str = "",
    at: datetime,
    scopes: Collection[str] = NO_SCOPES,
    carry_out_now: bool = False,
) -> ApprovalRequest:
    """As approve, as a step of the caller's unit of work. The request's row is locked before anything else here."""
    request, kind = _for_decision(request_id, actor, at=at, scopes=scopes)
    # Before the content is compared: what was carried out has changed it, and is not void.
    _decide(request, ApprovalStatus.APPROVED, actor=actor, reason=reason, at=at)
    _require_unchanged(request, kind)
    is_now = carry_out_now or kind.carries_out_at_once
    if not is_now:
        request.run_id = queue_job(EXECUTION_JOB, parameters={"request_id": request.pk}, actor=actor, at=at).pk
    request.save()
    _note(request, "approval.approved", actor=actor, reason=request.decision_reason, at=at, hash=request.content_hash)
    if is_now:
        _carry_out(request, kind, at=at)
    return request


@unit_of_work
def refuse(
    request_id: int, *, actor: Actor, reason: str, at: datetime, scopes: Collection[str] = NO_SCOPES
) -> ApprovalRequest:
    """Says no. Raises as approve does, but for ApprovalVoid, and ApprovalRefused without a reason."""
    return decline(request_id, actor=actor, reason=reason, at=at, scopes=scopes)


@inside_unit_of_work
def decline(
    request_id: int, *, actor: Actor, reason: str, at: datetime, scopes: Collection[str] = NO_SCOPES
) -> ApprovalRequest:
    """As refuse, as a step of the caller's unit of work. The request's row is locked before anything else here."""
    if not reason.strip():
        raise ApprovalRefused("Say why it is refused: whoever asked reads that.")
    request, _ = _for_decision(request_id, actor, at=at, scopes=scopes)
    _decide(request, ApprovalStatus.REFUSED, actor=actor, reason=reason, at=at)
    _end(request, "approval.refused", actor=actor, reason=request.decision_reason, at=at)
    return request


@unit_of_work
def withdraw(request_id: int, *, actor: Actor, reason: str, at: datetime) -> ApprovalRequest:
    """Takes one's own request back, also an approved one that was not carried out. Raises NotYours for others."""
    return take_back(request_id, actor=actor, reason=reason, at=at)


@inside_unit_of_work
def take_back(request_id: int, *, actor: Actor, reason: str, at: datetime) -> ApprovalRequest:
    """As withdraw, as a step of the caller's unit of work. The request's row is locked before anything else here."""
    request = _locked(request_id)
    if not Principal.of(actor).is_same_as(Principal.who_asked(request)):
        raise NotYours(f"Only {request.requested_by} can take back what they asked for.")
    request._move_to(ApprovalStatus.WITHDRAWN, at=at)
    _end(request, "approval.withdrawn", actor=actor, reason=reason.strip(), at=at)
    return request


def expire_overdue(*, at: datetime) -> list[ApprovalRequest]:
    """Ends every request whose time is over before it was carried out, each in a unit of work of its own; gives them.

    One whose kind cannot end it is logged and left for the next time, so that it does not hold back the others.
    """
    ended: list[ApprovalRequest] = []
    for pk in ApprovalRequest.objects.overdue(at).order_by("pk").values_list("pk", flat=True):
        try:
            ended += _expire(pk, at=at)
        except Exception:
            log.exception("A request for approval could not be expired.", extra={"request_id": pk})
    return ended


@unit_of_work
def _expire(request_id: int, *, at: datetime) -> list[ApprovalRequest]:
    overdue = ApprovalRequest.objects.filter(pk=request_id).lock_overdue(at)
    for request in overdue:
        request._move_to(ApprovalStatus.EXPIRED, at=at)
        _end(request, "approval.expired", actor=SYSTEM, reason="", at=at)
    return overdue


@unit_of_work
def ask_to_execute(
    request_id: int, *, actor: Actor, at: datetime, scopes: Collection[str] = NO_SCOPES
) -> ApprovalRequest:
    """Queues the execution of an approved request once more, after a run that failed.

    Raises NotYours for who may neither ask for nor approve its kind, IllegalApprovalMove when it is not approved.
    """
    request = _locked(request_id)
    kind = find_kind(request.kind)
    may_ask = holds(actor, permission=kind.may_request, scope=kind.api_scope_request, scopes=scopes)
    if not may_ask and not holds(actor, permission=kind.may_approve, scope=kind.api_scope_approve, scopes=scopes):
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
    return _carry_out(request, find_kind(request.kind), at=at)


def changes_since(request: ApprovalRequest) -> list[Difference]:
    """How what is there now differs from what was asked for, field by field; empty while nothing has changed.

    Raises what the kind's `current` raises when its record is gone or may not be read any more, and UnknownKind.
    """
    asked_for: Mapping[str, Any] = exactjson.loads(request.content)
    return differences(asked_for, exactjson.loads(canonical(find_kind(request.kind).current(asked_for))))


@unit_of_work
def note_void(request_id: int, error: ApprovalVoid, *, at: datetime) -> None:
    """Keeps in the audit that an execution found the approval void, and what had changed."""
    found = error.context.get("differences", [])
    _note(_locked(request_id), "approval.found-void", actor=SYSTEM, reason=error.detail, at=at, differences=found)


def _carry_out(request: ApprovalRequest, kind: ApprovalKind, *, at: datetime) -> dict[str, Any]:
    content = _require_unchanged(request, kind)
    approver = Principal.who_decided(request).as_actor()
    execution = Execution(
        request_id=request.pk, requested_by=request.requested_by, reason=request.reason, actor=approver, at=at
    )
    result = kind.execute(content, execution)
    request.result = result
    request._move_to(ApprovalStatus.EXECUTED, at=at)
    request.save()
    _note(request, "approval.executed", actor=approver, reason=request.reason, at=at, result=result)
    return result


def _for_decision(
    request_id: int, actor: Actor, *, at: datetime, scopes: Collection[str]
) -> tuple[ApprovalRequest, ApprovalKind]:
    request = _locked(request_id)
    kind = find_kind(request.kind)
    decider = require(actor, permission=kind.may_approve, scope=kind.api_scope_approve, scopes=scopes)
    if decider.is_same_as(Principal.who_asked(request)):
        raise OwnRequest("You asked for this yourself: another person must decide.")
    if request.status == ApprovalStatus.PENDING and request.expires_at <= at:
        raise ApprovalExpired(f"Request {request.pk} expired at {request.expires_at:%Y-%m-%d %H:%M} UTC.")
    return request, kind


def _decide(request: ApprovalRequest, target: ApprovalStatus, *, actor: Actor, reason: str, at: datetime) -> None:
    request._move_to(target, at=at)
    decider = Principal.of(actor)
    request.decided_by_kind, request.decided_by_id, request.decided_by = decider.kind, decider.user_id, decider.name
    request.decided_at, request.decision_reason = at, reason.strip()


def _end(request: ApprovalRequest, action: str, *, actor: Actor, reason: str, at: datetime) -> None:
    """Saves a request that ends without being carried out, and lets its kind put its own records right."""
    request.save()
    _note(request, action, actor=actor, reason=reason, at=at)
    try:
        kind = find_kind(request.kind)
    except UnknownKind:
        # It belonged to an earlier version, which alone knew of anything to put right.
        return
    if kind.on_ended is not None:
        kind.on_ended(exactjson.loads(request.content), ApprovalStatus(request.status), actor, reason, at)


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


def _note(request: ApprovalRequest, action: str, *, actor: Actor, reason: str, at: datetime, **more: Any) -> None:
    after = {"status": request.status, **more}
    record_entry(actor=actor, action=action, subject=request, after=after, reason=reason, at=at)
