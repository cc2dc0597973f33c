"""API clients ask and decide as people do: by scope, never about what they asked for themselves, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from kernel.approvals.models import ApprovalRequest, IllegalApprovalMove
from kernel.approvals.operations import (
    ApprovalVoid,
    OwnRequest,
    agree,
    approve,
    ask_to_execute,
    changes_since,
    decline,
    execute,
    expire_overdue,
    refuse,
    take_back,
    withdraw,
)
from kernel.approvals.principals import NotYours, Principal, holds
from kernel.approvals.registry import find_kind, register_kind
from kernel.approvals.states import PrincipalKind
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from kernel.jobs.operations import run_job
from kernel.transactions import TransactionMisuse, unit_of_work
from tests.kernel.approvals.conftest import (
    AT,
    MAY_APPROVE,
    MAY_REQUEST,
    SCOPE_APPROVE,
    SCOPE_REQUEST,
    Ledger,
    ask,
    ask_by_api,
    row,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("told")]
A, B = Actor.api_client("partner-a"), Actor.api_client("partner-b")
MAY_DECIDE = (SCOPE_APPROVE,)
CONTENT = {"account": "A-1", "events": 120}


def story(pk: int) -> list[tuple[str, str, str]]:
    entries = AuditEntry.objects.about(row(pk)).order_by("id")
    return list(entries.values_list("action", "actor", "actor_kind"))


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What each call gives, or the class of what it raises, all started at once on connections of their own."""
    barrier, outcomes = threading.Barrier(len(calls)), []

    def run(call: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            outcomes.append(call())
        except Exception as error:
            outcomes.append(type(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_one_client_asks_and_another_approves_at_once(ledger: Ledger, told: list[Any]) -> None:
    pk = ask_by_api()
    asked = row(pk)
    assert (asked.requested_by_kind, asked.requested_by, asked.requested_by_id) == ("api_client", "partner-a", None)
    approved = approve(pk, actor=B, at=AT, scopes=MAY_DECIDE, carry_out_now=True)
    assert (approved.status, approved.result) == ("executed", {"events": 120, "by": "partner-b"})
    assert (row(pk).status, row(pk).decided_by_kind, row(pk).decided_by) == ("executed", "api_client", "partner-b")
    assert row(pk).decided_by_id is None
    assert ledger.done == [CONTENT]
    assert told == []
    assert not JobRun.objects.exists()
    assert story(pk) == [
        ("approval.requested", "partner-a", "api_client"),
        ("approval.approved", "partner-b", "api_client"),
        ("approval.executed", "partner-b", "api_client"),
    ]


def test_a_worker_carries_out_what_a_client_approved(ledger: Ledger) -> None:
    pk = ask_by_api()
    approved = approve(pk, actor=B, at=AT, scopes=MAY_DECIDE)
    assert ledger.done == []
    assert approved.run_id is not None
    run_job(approved.run_id)
    assert (row(pk).status, row(pk).result) == ("executed", {"events": 120, "by": "partner-b"})


def test_staff_decide_about_what_a_client_asked_for_and_the_other_way_round(
    asker: User, approver: User, ledger: Ledger
) -> None:
    by_client, by_person = ask_by_api(), ask(asker)
    assert approve(by_client, actor=Actor.staff(approver), at=AT, carry_out_now=True).decided_by_kind == "staff"
    assert approve(by_person, actor=B, at=AT, scopes=MAY_DECIDE, carry_out_now=True).decided_by_kind == "api_client"
    assert len(ledger.done) == 2


def test_a_client_does_not_decide_about_what_it_asked_for(ledger: Ledger) -> None:
    pk = ask_by_api()
    both = (SCOPE_REQUEST, SCOPE_APPROVE)
    with pytest.raises(OwnRequest):
        approve(pk, actor=A, at=AT, scopes=both, carry_out_now=True)
    with pytest.raises(OwnRequest):
        refuse(pk, actor=A, reason="no", at=AT, scopes=both)
    assert (row(pk).status, ledger.done) == ("pending", [])


@pytest.mark.parametrize("scopes", [(), (SCOPE_REQUEST,), ("payments:read", "")])
def test_without_the_scope_to_approve_a_client_decides_nothing(ledger: Ledger, scopes: tuple[str, ...]) -> None:
    pk = ask_by_api()
    with pytest.raises(NotYours, match=SCOPE_APPROVE):
        approve(pk, actor=B, at=AT, scopes=scopes, carry_out_now=True)
    with pytest.raises(NotYours):
        refuse(pk, actor=B, reason="no", at=AT, scopes=scopes)
    assert (row(pk).status, ledger.done) == ("pending", [])


@pytest.mark.parametrize("scopes", [(), (SCOPE_APPROVE,), ("",)])
def test_without_the_scope_to_ask_a_client_asks_for_nothing(ledger: Ledger, scopes: tuple[str, ...]) -> None:
    with pytest.raises(NotYours):
        ask_by_api(scopes=scopes)
    assert not ApprovalRequest.objects.exists()


def test_scopes_lend_nothing_to_a_person_and_a_kind_without_scopes_nothing_to_a_client(
    person: Callable[..., User], ledger: Ledger
) -> None:
    pk = ask_by_api()
    with pytest.raises(NotYours):
        approve(pk, actor=Actor.staff(person("nobody")), at=AT, scopes=MAY_DECIDE)
    assert not holds(B, permission=MAY_APPROVE, scope="", scopes=("", MAY_APPROVE))
    assert row(pk).status == "pending"


@pytest.mark.parametrize("actor", [Actor.system("sweep"), Actor.command("refund")])
def test_the_system_neither_asks_nor_decides(ledger: Ledger, actor: Actor) -> None:
    pk = ask_by_api()
    with pytest.raises(NotYours, match="neither a member of staff nor an API client"):
        approve(pk, actor=actor, at=AT, scopes=MAY_DECIDE)
    with pytest.raises(NotYours):
        withdraw(pk, actor=actor, reason="x", at=AT)
    assert row(pk).status == "pending"


def test_a_person_and_a_client_of_one_name_are_two(person: Callable[..., User], ledger: Ledger) -> None:
    namesake = person("partner-a", MAY_APPROVE)
    pk = ask_by_api("partner-a")
    assert approve(pk, actor=Actor.staff(namesake), at=AT).decided_by == "partner-a"


def test_principals_are_the_same_by_user_or_by_kind_and_name() -> None:
    pat = Principal(PrincipalKind.STAFF, "pat", 7)
    assert pat.is_same_as(Principal(PrincipalKind.STAFF, "renamed", 7))
    assert pat.is_same_as(Principal(PrincipalKind.STAFF, "pat", 8))
    assert not pat.is_same_as(Principal(PrincipalKind.API_CLIENT, "pat"))
    assert not Principal(PrincipalKind.API_CLIENT, "a").is_same_as(Principal(PrincipalKind.API_CLIENT, "b"))


DECIDED = "update approval_request set status = 'approved', decided_at = now(), "


@pytest.mark.parametrize(
    ("assignment", "constraint"),
    [
        ("decided_by_kind = 'api_client', decided_by = 'partner-a'", "approval_request_two_principals"),
        ("decided_by_kind = 'api_client', decided_by = ''", "approval_request_decider_known"),
        ("decided_by_kind = 'api_client', decided_by = 'b', decided_by_id = 7", "approval_request_decider_known"),
        ("decided_by_kind = 'staff', decided_by = 'b'", "approval_request_decider_known"),
        ("decided_by_kind = 'system', decided_by = 'sweep'", "approval_request_decider_known"),
    ],
)
def test_the_database_refuses_a_decider_that_is_none(ledger: Ledger, assignment: str, constraint: str) -> None:
    pk = ask_by_api()
    with pytest.raises(IntegrityError, match=constraint), connection.cursor() as cursor:
        cursor.execute(f"{DECIDED} {assignment} where id = %s", [pk])
    assert row(pk).status == "pending"


@pytest.mark.parametrize("kind", ["system", "staff", ""])
def test_the_database_refuses_a_requester_that_is_none(ledger: Ledger, kind: str) -> None:
    request = row(ask_by_api())
    request.pk, request.requested_by_kind = None, kind
    with pytest.raises(IntegrityError, match="approval_request_requester_known"):
        request.save(force_insert=True)
    assert ApprovalRequest.objects.count() == 1


def test_the_database_keeps_the_kinds_of_who_asked_and_who_decided(ledger: Ledger) -> None:
    pk = ask_by_api()
    with pytest.raises(IntegrityError, match="does not change"):
        ApprovalRequest.objects.filter(pk=pk).update(requested_by_kind="staff", requested_by_id=7)
    approve(pk, actor=B, at=AT, scopes=MAY_DECIDE)
    with pytest.raises(IntegrityError, match="Who decided"):
        ApprovalRequest.objects.filter(pk=pk).update(decided_by_kind="staff", decided_by_id=7)
    assert (row(pk).requested_by_kind, row(pk).decided_by_kind) == ("api_client", "api_client")


def test_rows_that_staff_decided_before_there_were_kinds_stay_good(asker: User, ledger: Ledger) -> None:
    pk = ask(asker)
    with connection.cursor() as cursor:
        cursor.execute(f"{DECIDED} decided_by = 'early', decided_by_id = -5 where id = %s", [pk])
    assert Principal.who_decided(row(pk)) == Principal(PrincipalKind.STAFF, "early", -5)
    assert execute(pk, at=AT)["by"] == "early"


def test_of_two_clients_who_decide_at_once_one_wins(ledger: Ledger) -> None:
    pk = ask_by_api()
    outcomes = together(
        lambda: approve(pk, actor=B, at=AT, scopes=MAY_DECIDE, carry_out_now=True).status,
        lambda: refuse(pk, actor=Actor.api_client("partner-c"), reason="no", at=AT, scopes=MAY_DECIDE).status,
    )
    final = row(pk).status
    assert sorted(outcomes, key=str) == sorted([final, IllegalApprovalMove], key=str)
    assert (len(ledger.done), len(ledger.ended)) == ((1, 0) if final == "executed" else (0, 1))


def test_of_eight_approvals_at_once_one_is_carried_out(approver: User, ledger: Ledger) -> None:
    pk = ask_by_api()
    clients = [Actor.api_client(f"partner-{number}") for number in range(7)]
    calls = [lambda who=who: approve(pk, actor=who, at=AT, scopes=MAY_DECIDE, carry_out_now=True) for who in clients]
    outcomes = together(*calls, lambda: approve(pk, actor=Actor.staff(approver), at=AT, carry_out_now=True))
    assert outcomes.count(IllegalApprovalMove) == 7
    assert ledger.done == [CONTENT]
    assert AuditEntry.objects.filter(action="approval.executed").count() == 1


def test_what_cannot_be_carried_out_at_once_leaves_no_approval(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    pk = ask_by_api()
    ledger.state["events"] = 121
    with pytest.raises(ApprovalVoid):
        approve(pk, actor=B, at=AT, scopes=MAY_DECIDE, carry_out_now=True)
    assert [str(change) for change in changes_since(row(pk))] == ["events: 120 was asked for, 121 is there now"]
    ledger.state["events"] = 120
    assert changes_since(row(pk)) == []
    monkeypatch.setattr(ledger, "done", None)
    with pytest.raises(AttributeError):
        approve(pk, actor=B, at=AT, scopes=MAY_DECIDE, carry_out_now=True)
    assert (row(pk).status, len(story(pk))) == ("pending", 1)


def test_a_kind_can_say_that_it_is_always_carried_out_at_once(ledger: Ledger) -> None:
    kind = find_kind("count-events")
    names = ("name", "title", "may_request", "may_approve", "current", "summarise", "execute")
    register_kind(
        type(kind)(
            **{name: getattr(kind, name) for name in names},
            api_scope_request=SCOPE_REQUEST,
            api_scope_approve=SCOPE_APPROVE,
            carries_out_at_once=True,
        )
    )
    assert approve(ask_by_api(), actor=B, at=AT, scopes=MAY_DECIDE).status == "executed"
    # And a kind needs no hook.
    assert refuse(ask_by_api(), actor=B, reason="no", at=AT, scopes=MAY_DECIDE).status == "refused"


def test_the_kind_hears_of_every_request_that_ends_without_being_carried_out(approver: User, ledger: Ledger) -> None:
    refused, withdrawn, late = ask_by_api(), ask_by_api(), ask_by_api(at=AT - timedelta(hours=72))
    refuse(refused, actor=Actor.staff(approver), reason=" Wrong payer ", at=AT)
    with pytest.raises(NotYours):
        withdraw(withdrawn, actor=B, reason="not mine", at=AT)
    withdraw(withdrawn, actor=A, reason="Found it", at=AT)
    assert [request.pk for request in expire_overdue(at=AT)] == [late]
    assert ledger.ended == [
        (CONTENT, "refused", "approver", "Wrong payer"),
        (CONTENT, "withdrawn", "partner-a", "Found it"),
        (CONTENT, "expired", "approvals", ""),
    ]


def test_a_hook_that_fails_undoes_the_decision_and_does_not_hold_back_other_expiries(
    approver: User, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk, late = ask_by_api(), ask_by_api(at=AT - timedelta(hours=72))
    gone = ask_by_api(at=AT - timedelta(hours=73))
    with connection.cursor() as cursor:
        cursor.execute("alter table approval_request disable trigger approval_request_stays")
        cursor.execute("update approval_request set kind = 'of-an-earlier-version' where id = %s", [gone])
        cursor.execute("alter table approval_request enable trigger approval_request_stays")
    ledger.hook_fails = True
    with pytest.raises(RuntimeError):
        refuse(pk, actor=Actor.staff(approver), reason="no", at=AT)
    assert [request.pk for request in expire_overdue(at=AT)] == [gone]
    assert [row(key).status for key in (pk, late, gone)] == ["pending", "pending", "expired"]
    assert len(story(pk)) == 1


def test_the_steps_join_the_unit_of_work_of_their_caller(ledger: Ledger) -> None:
    first, second, third = ask_by_api(), ask_by_api(), ask_by_api()

    @unit_of_work
    def decide(fails: bool) -> None:
        agree(first, actor=B, at=AT, scopes=MAY_DECIDE, carry_out_now=True)
        decline(second, actor=B, reason="no", at=AT, scopes=MAY_DECIDE)
        take_back(third, actor=A, reason="no more", at=AT)
        if fails:
            raise KeyError

    with pytest.raises(KeyError):
        decide(True)
    assert [row(pk).status for pk in (first, second, third)] == ["pending"] * 3
    decide(False)
    assert [row(pk).status for pk in (first, second, third)] == ["executed", "refused", "withdrawn"]
    with pytest.raises(TransactionMisuse):
        agree(first, actor=B, at=AT, scopes=MAY_DECIDE)


def test_a_client_has_a_failed_execution_tried_again(ledger: Ledger) -> None:
    pk = ask_by_api()
    first = approve(pk, actor=B, at=AT, scopes=MAY_DECIDE).run_id
    with pytest.raises(NotYours):
        ask_to_execute(pk, actor=A, at=AT, scopes=("payments:read",))
    assert row(pk).run_id == first
    assert ask_to_execute(pk, actor=A, at=AT, scopes=(SCOPE_REQUEST,)).run_id not in (None, first)
    assert JobRun.objects.count() == 2


def test_the_permissions_of_the_kind_stand_for_nobody_but_staff() -> None:
    assert not holds(A, permission=MAY_REQUEST, scope=SCOPE_REQUEST, scopes=(MAY_REQUEST,))
