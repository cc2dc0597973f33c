"""The inbox of approvals: what waits for me first, what I may do and why not, and that the server refuses it too."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from kernel.approvals.inbox import comparison_of
from kernel.approvals.operations import NoSuchRequest, refuse
from kernel.approvals.registry import find_kind, register_kind
from kernel.approvals.states import ApprovalStatus
from kernel.audit.actors import Actor
from kernel.jobs.models import JobRun
from tests.kernel.approvals.conftest import AT, MAY_APPROVE, MAY_REQUEST, Ledger, ask, ask_by_api, row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("told")]
VIEW = "approvals.view_approvalrequest"


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:approvals_approvalrequest_{name}", args=arguments)


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def buttons(text: str, pk: int) -> set[str]:
    return {name for name in ("approve", "refuse", "withdraw", "carry_out") if page(name, pk) in text}


def test_what_waits_for_me_stands_first(
    asker: User, approver: User, person: Callable[..., User], ledger: Ledger
) -> None:
    both = person("both", MAY_REQUEST, MAY_APPROVE, VIEW)
    old = ask(asker, at=AT - timedelta(hours=3))
    mine = ask(both, at=AT)
    settled = ask(asker, at=AT)
    refuse(settled, actor=Actor.staff(approver), reason="no", at=AT)
    listed = as_(both).get(page("changelist")).context["cl"].result_list
    assert [request.pk for request in listed] == [old, mine, settled]
    text = text_of(as_(both), page("changelist"))
    assert text.count("Waits for you</span>") == 1
    assert text.count("Waits for a second person</span>") == 1
    assert "Waits for you" not in text_of(as_(asker), page("changelist"))


def test_the_record_shows_what_is_approved_and_whose_turn_it_is(
    asker: User, approver: User, person: Callable[..., User], ledger: Ledger
) -> None:
    pk = ask(asker)
    text = text_of(as_(approver), page("change", pk))
    for shown in ("120 events of A-1 are counted.", row(pk).content_hash, "Reader lost them", "T-7", "asker"):
        assert shown in text
    assert "This waits for you" in text
    assert buttons(text, pk) == {"approve", "refuse"}
    own = text_of(as_(asker), page("change", pk))
    assert "You asked for this yourself, so you cannot approve it" in own
    assert buttons(own, pk) == {"withdraw"}
    curious = text_of(as_(person("curious", VIEW)), page("change", pk))
    assert "not decide" in curious
    assert buttons(curious, pk) == set()


def test_approving_asks_first_and_then_once(asker: User, approver: User, ledger: Ledger) -> None:
    pk, client = ask(asker), as_(approver)
    assert "120 events of A-1 are counted." in text_of(client, page("approve", pk))
    assert row(pk).status == "pending"
    assert client.post(page("approve", pk), {"confirmed": "yes", "reason": ""}).status_code == 200
    assert row(pk).status == "pending"
    client.post(page("approve", pk), {"confirmed": "yes", "reason": "As in the ticket"})
    assert (row(pk).status, row(pk).decided_by) == ("approved", "approver")
    assert client.post(page("approve", pk), {"confirmed": "yes", "reason": "again"}).status_code == 409
    assert JobRun.objects.count() == 1


@pytest.mark.parametrize("action", ["approve", "refuse"])
def test_the_server_refuses_whoever_asked_although_no_button_is_there(
    person: Callable[..., User], ledger: Ledger, action: str
) -> None:
    both = person("both", MAY_REQUEST, MAY_APPROVE, VIEW)
    pk = ask(both)
    answer = as_(both).post(page(action, pk), {"confirmed": "yes", "reason": "mine"})
    assert answer.status_code == 403
    assert "another person must decide" in answer.content.decode()
    assert row(pk).status == "pending"


@pytest.mark.parametrize("action", ["approve", "refuse", "withdraw", "carry_out"])
@pytest.mark.parametrize("permissions", [(), (VIEW,), (VIEW, MAY_REQUEST), (MAY_APPROVE,)])
def test_without_the_right_every_action_is_refused_and_nothing_changes(
    asker: User, person: Callable[..., User], ledger: Ledger, action: str, permissions: tuple[str, ...]
) -> None:
    pk = ask(asker)
    answer = as_(person("other", *permissions)).post(page(action, pk), {"confirmed": "yes", "reason": "mine"})
    allowed_to_try = permissions == (VIEW, MAY_REQUEST) and action == "carry_out"
    assert answer.status_code == (409 if allowed_to_try else 403)
    assert row(pk).status == "pending"
    assert not JobRun.objects.exists()


def test_a_void_approval_says_what_changed_and_can_be_refused(asker: User, approver: User, ledger: Ledger) -> None:
    pk, client = ask(asker), as_(approver)
    ledger.state["events"] = 119
    answer = client.post(page("approve", pk), {"confirmed": "yes", "reason": "fine"})
    assert answer.status_code == 409
    assert "120 was asked for, 119 is there now" in answer.content.decode()
    client.post(page("refuse", pk), {"confirmed": "yes", "reason": "out of date"})
    assert row(pk).status == "refused"


def test_whoever_asked_withdraws_and_the_story_is_told(asker: User, ledger: Ledger) -> None:
    pk, client = ask(asker), as_(asker)
    client.post(page("withdraw", pk), {"confirmed": "yes", "reason": "Found them"})
    assert row(pk).status == "withdrawn"
    text = text_of(client, page("change", pk))
    said = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert re.search(r"Approval withdrawn \S+ \S+ \S+ by asker Reason: Found them", said)
    assert re.search(r"Approval requested \S+ \S+ \S+ by asker Reason: Reader lost them", said)
    assert buttons(text, pk) == set()


@pytest.mark.parametrize("status", sorted(ApprovalStatus))
def test_every_status_has_its_words(asker: User, approver: User, ledger: Ledger, status: str) -> None:
    pk = ask(asker)
    request = row(pk)
    if status in ("approved", "refused", "executed"):
        request.decided_by_id, request.decided_by, request.decided_at = approver.pk, approver.username, AT
    request.status = status
    request.save()
    assert as_(approver).get(page("change", pk)).status_code == 200
    assert as_(approver).get(page("changelist"), {"status__exact": status}).context["cl"].result_count == 1


def test_the_empty_inbox_says_what_will_be_in_it(approver: User, ledger: Ledger) -> None:
    assert "A line appears here when somebody asks" in text_of(as_(approver), page("changelist"))


def test_the_page_shows_field_by_field_what_changed_since_it_was_asked(
    asker: User, approver: User, ledger: Ledger
) -> None:
    pk, client = ask(asker), as_(approver)
    unchanged = comparison_of(row(pk))
    assert unchanged.title in text_of(client, page("change", pk))
    assert unchanged.title == "What changed since it was asked: nothing"
    assert [(line.label, tuple(line.cells), line.is_wrong) for line in unchanged.rows] == [
        ("Account", ("A-1",), False),
        ("Events", ("120",), False),
    ]
    assert "Nothing has changed since it was asked." in text_of(client, page("approve", pk))
    ledger.state |= {"events": 121, "owner": "B"}
    changed = comparison_of(row(pk))
    text = text_of(client, page("change", pk))
    assert changed.title in text
    assert "so it cannot be approved any more: refuse it." in text
    assert changed.title == "What changed since it was asked: 2 of 3 fields"
    assert [(line.label, tuple(line.cells), line.is_wrong) for line in changed.rows] == [
        ("Account", ("A-1", "the same"), False),
        ("Events", ("120", "121 (changed)"), True),
        ("Owner", ("absent", "B (changed)"), True),
    ]
    asked = text_of(client, page("approve", pk))
    assert "Not possible any more, because it has changed since it was asked: events: 120 was asked for" in asked


def test_what_cannot_be_compared_any_more_is_said(
    asker: User, approver: User, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = ask(asker)
    monkeypatch.setattr(ledger, "state", None)

    def gone(content: object) -> dict[str, object]:
        raise NoSuchRequest("The account is gone.")

    kind = find_kind("count-events")
    register_kind(replace(kind, current=gone))
    answer = as_(approver).get(page("change", pk))
    assert answer.status_code == 200
    assert answer.context["main_panels"][0].title == "What changed since it was asked: not known"
    assert "The account is gone." in answer.content.decode()


def test_a_settled_request_shows_what_was_asked_for_and_looks_at_nothing(
    asker: User, approver: User, ledger: Ledger
) -> None:
    pk = ask(asker)
    refuse(pk, actor=Actor.staff(approver), reason="no", at=AT)
    ledger.state["events"] = 121
    comparison = comparison_of(row(pk))
    assert comparison.title in text_of(as_(approver), page("change", pk))
    assert comparison.title == "Exactly what was asked for"
    assert [tuple(line.cells) for line in comparison.rows] == [("A-1",), ("120",)]


def test_a_request_of_an_api_client_is_marked_and_decided_by_staff(approver: User, ledger: Ledger) -> None:
    pk, client = ask_by_api("partner-a"), as_(approver)
    mark = re.compile(r"partner-a <span class=\"ps-badge[^>]*>.{0,60}API client", re.DOTALL)
    assert mark.search(text_of(client, page("changelist")))
    text = text_of(client, page("change", pk))
    assert mark.search(text)
    assert buttons(text, pk) == {"approve", "refuse"}
    client.post(page("refuse", pk), {"confirmed": "yes", "reason": "Not ours"})
    assert (row(pk).status, row(pk).decided_by_kind) == ("refused", "staff")


def test_the_tabs_narrow_the_list_to_whose_turn_it_is(
    asker: User, approver: User, person: Callable[..., User], ledger: Ledger
) -> None:
    both = person("both", MAY_REQUEST, MAY_APPROVE, VIEW)
    theirs, mine, settled, by_client = ask(asker), ask(both), ask(asker), ask_by_api()
    refuse(settled, actor=Actor.staff(approver), reason="no", at=AT)
    client = as_(both)
    expected = {
        "": {theirs, mine, settled, by_client},
        "mine": {theirs, by_client},
        "asked": {mine},
        "open": {theirs, mine, by_client},
        "settled": {settled},
    }
    for whose, pks in expected.items():
        answer = client.get(page("changelist"), {"whose": whose} if whose else {})
        assert {found.pk for found in answer.context["cl"].result_list} == pks
        assert [is_chosen for _, _, is_chosen in answer.context["cl"].tabs].count(True) == 1


def test_a_kind_that_is_carried_out_at_once_says_so_and_is(asker: User, approver: User, ledger: Ledger) -> None:
    register_kind(replace(find_kind("count-events"), carries_out_at_once=True))
    pk, client = ask(asker), as_(approver)
    assert "It is carried out at once." in text_of(client, page("approve", pk))
    answer = client.post(page("approve", pk), {"confirmed": "yes", "reason": "fine"}, follow=True)
    assert f"Request {pk} is approved and carried out." in answer.content.decode()
    assert (row(pk).status, len(ledger.done)) == ("executed", 1)
    assert not JobRun.objects.exists()


def test_each_allowed_action_says_its_effect_beside_the_facts(asker: User, approver: User, ledger: Ledger) -> None:
    pk = ask(asker)
    allowed = as_(approver).get(page("change", pk)).context["allowed"]
    assert [(action.title, action.key) for action in allowed] == [("Approve", "a"), ("Refuse", "d")]
    assert allowed[0].effect.startswith("120 events of A-1 are counted. Nothing has changed")
    assert as_(asker).get(page("change", pk)).context["allowed"][0].title == "Withdraw"
