"""What can be approved. An app registers its kinds in `ready`; the approvals know none by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kernel.approvals.states import ApprovalStatus
from kernel.audit.actors import Actor
from kernel.errors import NotFound

Content = Mapping[str, Any]


class UnknownKind(NotFound):
    """Nothing of this kind can be approved."""

    code = "unknown-approval-kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What an approved request is carried out with: for whom, agreed by whom, and when."""

    request_id: int
    requested_by: str
    reason: str
    # Who approved.
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalKind:
    """One kind of act that needs two people.

    `may_request` and `may_approve` are permissions, `app.codename`. `current` gives the content anew from the state
    of this moment: what is approved is carried out only while that is the same. `summarise` says a content in words
    and figures. `execute` is a step inside the unit of work that marks the request as executed; long work it queues.

    An API client asks with the scope `api_scope_request` and decides with `api_scope_approve`; without them, only
    staff may. With `carries_out_at_once`, `execute` runs in the transaction of the approval, else a worker runs it.
    `on_ended` is a step in the transaction in which a request is refused, withdrawn or expires: it gets the content,
    the status, who ended it (the system, when it expired), why, and when. In each of these transactions the row of the
    request is locked first, and then whatever the kind locks.
    """

    name: str
    title: str
    may_request: str
    may_approve: str
    current: Callable[[Content], Content]
    summarise: Callable[[Content], str]
    execute: Callable[[Content, Execution], dict[str, Any]]
    api_scope_request: str = ""
    api_scope_approve: str = ""
    carries_out_at_once: bool = False
    on_ended: Callable[[Content, ApprovalStatus, Actor, str, datetime], object] | None = None


_kinds: dict[str, ApprovalKind] = {}


def register_kind(kind: ApprovalKind) -> None:
    """Adds the kind; the same name again takes the place of the earlier one."""
    _kinds[kind.name] = kind


def find_kind(name: str) -> ApprovalKind:
    """The kind of this name. Raises UnknownKind."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(
            f"There is no approval of {name}; there are: {', '.join(sorted(_kinds)) or 'none'}."
        ) from None


def title_of(name: str) -> str:
    """The kind's title; its name when it belonged to an earlier version and is gone since."""
    return _kinds[name].title if name in _kinds else name


def approvable_with(holds: Callable[[str], bool]) -> list[str]:
    """Names of the kinds whose permission to approve is among those that `holds` affirms."""
    return sorted(kind.name for kind in _kinds.values() if holds(kind.may_approve))
