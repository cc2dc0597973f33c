"""A kind of act that only the tests know, people who may ask and approve, and what the workers were told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from kernel.approvals import registry
from kernel.approvals.models import ApprovalRequest
from kernel.approvals.operations import request_approval
from kernel.approvals.registry import ApprovalKind, Content, Execution, register_kind
from kernel.approvals.states import ApprovalStatus
from kernel.audit.actors import Actor
from kernel.jobs import operations as jobs
from kernel.transactions import unit_of_work

# The job reads the clock itself, so the tests live in the present.
AT = datetime.now(UTC)
# Permissions that exist already stand for those of the kind.
MAY_REQUEST, MAY_APPROVE = "jobs.request_job", "jobs.cancel_job"
SCOPE_REQUEST, SCOPE_APPROVE = "events:request", "events:approve"


@dataclass
class Ledger:
    """The state that the tests' kind is about, and what was done to it."""

    state: dict[str, Any] = field(default_factory=lambda: {"events": 120, "account": "A-1"})
    done: list[Content] = field(default_factory=list)
    # What the hook for requests that end was called with.
    ended: list[tuple[Content, str, str, str]] = field(default_factory=list)
    hook_fails: bool = False


@pytest.fixture
def ledger() -> Generator[Ledger]:
    known = dict(registry._kinds)
    kept = Ledger()

    def execute(content: Content, execution: Execution) -> dict[str, Any]:
        kept.done.append(content)
        return {"events": content["events"], "by": execution.actor.name}

    def end(content: Content, status: ApprovalStatus, actor: Actor, reason: str, at: datetime) -> None:
        if kept.hook_fails:
            raise RuntimeError("The hook of the test fails.")
        kept.ended.append((content, status.value, actor.name, reason))

    register_kind(
        ApprovalKind(
            name="count-events",
            title="Count events",
            may_request=MAY_REQUEST,
            may_approve=MAY_APPROVE,
            current=lambda content: dict(kept.state),
            summarise=lambda content: f"{content['events']} events of {content['account']} are counted.",
            execute=execute,
            api_scope_request=SCOPE_REQUEST,
            api_scope_approve=SCOPE_APPROVE,
            on_ended=end,
        )
    )
    yield kept
    registry._kinds.clear()
    registry._kinds.update(known)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Takes the place of the broker: which runs the workers were told of."""
    runs: list[Any] = []

    def announce(run_id: Any) -> bool:
        runs.append(run_id)
        return True

    monkeypatch.setattr(jobs, "announce", announce)
    return runs


@pytest.fixture
def person() -> Callable[..., User]:
    def made(name: str, *permissions: str) -> User:
        user = User.objects.create_user(name, is_staff=True)
        for permission in permissions:
            label, codename = permission.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        return user

    return made


@pytest.fixture
def asker(person: Callable[..., User]) -> User:
    return person("asker", MAY_REQUEST, "approvals.view_approvalrequest")


@pytest.fixture
def approver(person: Callable[..., User]) -> User:
    return person("approver", MAY_APPROVE, "approvals.view_approvalrequest")


@unit_of_work
def ask(user: User, *, content: Content | None = None, reason: str = "Reader lost them", at: datetime = AT) -> int:
    wanted = content if content is not None else {"events": 120, "account": "A-1"}
    return request_approval("count-events", wanted, actor=Actor.staff(user), reason=reason, ticket="T-7", at=at).pk


@unit_of_work
def ask_by_api(slug: str = "partner-a", *, scopes: Collection[str] = (SCOPE_REQUEST,), at: datetime = AT) -> int:
    content = {"events": 120, "account": "A-1"}
    actor = Actor.api_client(slug)
    return request_approval("count-events", content, actor=actor, reason="Sent twice", at=at, scopes=scopes).pk


def row(pk: int) -> ApprovalRequest:
    return ApprovalRequest.objects.get(pk=pk)
