"""Two people: what one asks for, another agrees to, and a worker carries out once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from kernel.approvals.models import ApprovalRequest, IllegalApprovalMove
from kernel.approvals.operations import (
    ApprovalExpired,
    ApprovalRefused,
    ApprovalVoid,
    NoSuchRequest,
    NotYours,
    OwnRequest,
    approve,
    ask_to_execute,
    execute,
    expire_overdue,
    refuse,
    withdraw,
)
from kernel.approvals.registry import UnknownKind, find_kind
from kernel.approvals.states import DECIDED, FINAL, MOVES, ApprovalStatus
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from kernel.jobs.operations import run_job
from kernel.jobs.states import JobStatus
from tests.kernel.approvals.conftest import AT, MAY_APPROVE, MAY_REQUEST, Ledger, ask, row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("told")]
HOUR = timedelta(hours=1)


def story(pk: int) -> list[str]:
    return list(AuditEntry.objects.about(row(pk)).order_by("id").values_list("action", flat=True))


def agreed(pk: int, user: User) -> ApprovalRequest:
    return approve(pk, actor=Actor.staff(user), reason="Looks right", at=AT + HOUR)


def test_a_request_keeps_what_exactly_is_asked_for_with_its_hash(asker: User, ledger: Ledger) -> None:
    pk = ask(asker, content={"events": 120, "account": "A-1"})
    request = row(pk)
    assert request.content == '{"account": "A-1", "events": 120}'
    assert request.content_hash == hashlib.sha256(request.content.encode()).hexdigest()
    assert request.summary == "120 events of A-1 are counted."
    assert (request.status, request.requested_by, request.ticket) == ("pending", "asker", "T-7")
    assert request.expires_at == AT + timedelta(hours=72)
    assert story(pk) == ["approval.requested"]


def test_a_second_person_agrees_and_a_worker_carries_it_out(
    asker: User, approver: User, ledger: Ledger, told: list[Any]
) -> None:
    pk = ask(asker)
    request = agreed(pk, approver)
    assert ledger.done == []
    assert told == [request.run_id]
    assert request.run_id is not None
    assert run_job(request.run_id) == JobStatus.SUCCEEDED
    assert ledger.done == [{"account": "A-1", "events": 120}]
    executed = row(pk)
    assert (executed.status, executed.result) == ("executed", {"events": 120, "by": "approver"})
    assert (executed.decided_by, executed.decision_reason) == ("approver", "Looks right")
    assert story(pk) == ["approval.requested", "approval.approved", "approval.executed"]


def test_nobody_decides_about_what_they_asked_for(person: Callable[..., User], ledger: Ledger) -> None:
    both = person("both", MAY_REQUEST, MAY_APPROVE)
    pk = ask(both)
    with pytest.raises(OwnRequest):
        agreed(pk, both)
    with pytest.raises(OwnRequest):
        refuse(pk, actor=Actor.staff(both), reason="no", at=AT)
    assert row(pk).status == "pending"
    assert not JobRun.objects.exists()
    assert story(pk) == ["approval.requested"]


@pytest.mark.parametrize("same", ["decided_by_id = requested_by_id", "decided_by = requested_by"])
def test_the_database_refuses_one_person_as_both(asker: User, ledger: Ledger, same: str) -> None:
    pk = ask(asker)
    other = {"decided_by_id": "decided_by = 'b'", "decided_by": "decided_by_id = -1"}[same.partition(" ")[0]]
    with pytest.raises(IntegrityError, match="approval_request_two_principals"), connection.cursor() as cursor:
        cursor.execute(
            f"update approval_request set status = 'approved', decided_at = now(), {same}, {other} where id = %s", [pk]
        )
    assert row(pk).status == "pending"


@pytest.mark.parametrize("status", sorted(DECIDED))
def test_the_database_refuses_a_decision_that_nobody_took(asker: User, ledger: Ledger, status: str) -> None:
    pk = ask(asker)
    with pytest.raises(IntegrityError, match="approval_request_decider_known"):
        ApprovalRequest.objects.filter(pk=pk).update(status=status)
    assert row(pk).status == "pending"


@pytest.mark.parametrize(
    "change",
    ["content = '{}', content_hash = encode(sha256('{}'), 'hex')", "requested_by_id = 7", "reason = 'x'"],
)
def test_the_database_refuses_to_change_what_was_asked_for(asker: User, ledger: Ledger, change: str) -> None:
    pk = ask(asker)
    with pytest.raises(IntegrityError, match="does not change"), connection.cursor() as cursor:
        cursor.execute(f"update approval_request set {change} where id = %s", [pk])
    with pytest.raises(IntegrityError, match="delete is refused"):
        ApprovalRequest.objects.filter(pk=pk).delete()
    assert row(pk).requested_by == "asker"


def test_the_database_refuses_another_approver_in_the_place_of_the_first(
    asker: User, approver: User, ledger: Ledger
) -> None:
    pk = ask(asker)
    agreed(pk, approver)
    with pytest.raises(IntegrityError, match="Who decided"):
        ApprovalRequest.objects.filter(pk=pk).update(decided_by_id=-9, decided_by="somebody")
    assert row(pk).decided_by == "approver"


def test_a_hash_that_is_not_that_of_the_content_is_refused_by_the_database(asker: User, ledger: Ledger) -> None:
    request = row(ask(asker))
    request.pk, request.content_hash = None, "0" * 64
    with pytest.raises(IntegrityError, match="approval_request_hash_of_content"):
        request.save(force_insert=True)
    assert ApprovalRequest.objects.count() == 1


@pytest.mark.parametrize("permissions", [(), (MAY_REQUEST,)])
def test_without_the_permission_of_the_kind_nobody_approves(
    asker: User, person: Callable[..., User], ledger: Ledger, permissions: tuple[str, ...]
) -> None:
    pk = ask(asker)
    with pytest.raises(NotYours):
        agreed(pk, person("curious", *permissions))
    assert row(pk).status == "pending"
    assert not JobRun.objects.exists()


def test_only_a_person_with_the_permission_asks_and_says_why(
    person: Callable[..., User], asker: User, approver: User, ledger: Ledger
) -> None:
    with pytest.raises(NotYours):
        ask(approver)
    asker.is_active = False
    asker.save()
    with pytest.raises(NotYours):
        ask(asker)
    with pytest.raises(ApprovalRefused):
        ask(person("silent", MAY_REQUEST), reason="  ")
    assert not ApprovalRequest.objects.exists()


def test_content_that_has_changed_makes_the_approval_void_and_nothing_is_done(
    asker: User, approver: User, ledger: Ledger
) -> None:
    pk = ask(asker)
    request = agreed(pk, approver)
    ledger.state["events"] = 121
    assert request.run_id is not None
    assert run_job(request.run_id) == JobStatus.FAILED
    assert ledger.done == []
    assert row(pk).status == "approved"
    found = AuditEntry.objects.get(action="approval.found-void")
    assert found.after == {
        "status": "approved",
        "differences": ["events: 120 was asked for, 121 is there now"],
    }
    assert "120 was asked for, 121 is there now" in JobRun.objects.get().error


def test_a_change_before_the_decision_keeps_it_from_being_approved(asker: User, approver: User, ledger: Ledger) -> None:
    pk = ask(asker)
    ledger.state["account"] = "A-2"
    with pytest.raises(ApprovalVoid, match='account: "A-1" was asked for, "A-2" is there now'):
        agreed(pk, approver)
    assert row(pk).status == "pending"
    assert not JobRun.objects.exists()
    refuse(pk, actor=Actor.staff(approver), reason="out of date", at=AT)
    assert row(pk).status == "refused"


def test_of_many_executions_at_once_exactly_one_does_it(asker: User, approver: User, ledger: Ledger) -> None:
    pk = ask(asker)
    agreed(pk, approver)
    outcomes: list[Any] = []
    barrier = threading.Barrier(6)

    def run() -> None:
        try:
            barrier.wait()
            outcomes.append(execute(pk, at=AT + HOUR))
        except IllegalApprovalMove:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.done) == 1
    assert sorted(outcomes, key=str) == ["late"] * 5 + [{"events": 120, "by": "approver"}]
    assert AuditEntry.objects.filter(action="approval.executed").count() == 1


def test_of_two_people_who_decide_at_once_one_wins(
    asker: User, approver: User, person: Callable[..., User], ledger: Ledger
) -> None:
    other = person("other", MAY_APPROVE)
    pk = ask(asker)
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def run(user: User, decide: Callable[..., ApprovalRequest]) -> None:
        try:
            barrier.wait()
            outcomes.append(decide(pk, actor=Actor.staff(user), reason="mine", at=AT + HOUR).status)
        except IllegalApprovalMove:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in ((approver, approve), (other, refuse))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == sorted(["late", row(pk).status])
    assert JobRun.objects.count() == (1 if row(pk).status == "approved" else 0)


def test_what_fails_is_undone_and_can_be_carried_out_again(
    asker: User, approver: User, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = ask(asker)
    first = agreed(pk, approver)
    ledger.state["events"] = 121
    assert first.run_id is not None
    run_job(first.run_id)
    ledger.state["events"] = 120
    again = ask_to_execute(pk, actor=Actor.staff(asker), at=AT + HOUR)
    assert again.run_id not in (None, first.run_id)
    assert run_job(again.run_id) == JobStatus.SUCCEEDED
    assert len(ledger.done) == 1
    with pytest.raises(IllegalApprovalMove):
        ask_to_execute(pk, actor=Actor.staff(asker), at=AT + HOUR)


def test_requests_expire_and_are_not_approved_or_carried_out_afterwards(
    asker: User, approver: User, person: Callable[..., User], ledger: Ledger
) -> None:
    late, early, done = ask(asker), ask(asker, at=AT + 2 * HOUR), ask(asker)
    approve(done, actor=Actor.staff(approver), at=AT)
    over = AT + timedelta(hours=72)
    with pytest.raises(ApprovalExpired):
        approve(late, actor=Actor.staff(approver), at=over)
    with pytest.raises(ApprovalExpired):
        execute(done, at=over)
    assert [request.pk for request in expire_overdue(at=over)] == [late, done]
    assert expire_overdue(at=over) == []
    assert [row(pk).status for pk in (late, early, done)] == ["expired", "pending", "expired"]
    assert story(late)[-1] == "approval.expired"
    assert ledger.done == []


def test_only_whoever_asked_takes_it_back_also_after_the_approval(asker: User, approver: User, ledger: Ledger) -> None:
    pk = ask(asker)
    with pytest.raises(NotYours):
        withdraw(pk, actor=Actor.staff(approver), reason="not mine", at=AT)
    agreed(pk, approver)
    assert withdraw(pk, actor=Actor.staff(asker), reason="found them", at=AT + HOUR).status == "withdrawn"
    with pytest.raises(IllegalApprovalMove):
        execute(pk, at=AT + HOUR)
    assert ledger.done == []
    assert row(pk).decided_by == "approver"


def test_a_refusal_needs_a_reason_and_ends_the_request(asker: User, approver: User, ledger: Ledger) -> None:
    pk = ask(asker)
    with pytest.raises(ApprovalRefused):
        refuse(pk, actor=Actor.staff(approver), reason=" ", at=AT)
    assert row(pk).status == "pending"
    refuse(pk, actor=Actor.staff(approver), reason="Wrong account", at=AT)
    assert (row(pk).status, row(pk).decision_reason) == ("refused", "Wrong account")
    with pytest.raises(IllegalApprovalMove):
        agreed(pk, approver)


def test_what_is_not_there_is_named(ledger: Ledger) -> None:
    with pytest.raises(NoSuchRequest):
        execute(7, at=AT)
    with pytest.raises(UnknownKind, match="count-events"):
        find_kind("of-no-app")


def test_every_status_can_be_reached_and_final_ones_are_left_by_nothing() -> None:
    reached = {target for targets in MOVES.values() for target in targets} | {ApprovalStatus.PENDING}
    assert reached == set(ApprovalStatus)
    assert {status.value for status in FINAL} == {"refused", "withdrawn", "expired", "executed"}
