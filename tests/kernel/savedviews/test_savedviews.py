"""Filters of a list under a name: what is kept of an address, whose tabs a person sees, and who may change them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from kernel.audit.models import AuditEntry
from kernel.savedviews.addresses import LONGEST, in_words, kept_query
from kernel.savedviews.models import SavedView
from tests.console.people import signed_in

LIST = "/admin/invoices/invoice/"
ADD = "/admin/savedviews/savedview/add/"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("?status=PAID&p=3", "status=PAID"),
        ("status=PAID&method=EJV&method=EFT&method=EFT", "method=EFT&method=EJV&status=PAID"),
        ("e=1&all=&_facets=True", ""),
        ("account=&q= a b ", "q=+a+b+"),
        ("", ""),
        ("status=" + "x" * LONGEST, "status=" + "x" * (LONGEST - len("status="))),
    ],
)
def test_what_is_kept_of_an_address_has_one_spelling(address: str, kept: str) -> None:
    assert kept_query(address) == kept
    assert kept_query(kept) == kept


def test_what_is_kept_is_said_to_whoever_names_it() -> None:
    assert in_words("method=EFT&method=EJV&created_from=2026-01-02&q=HARPER") == (
        "method: EFT, EJV; created from: 2026-01-02; search: HARPER"
    )


def save(client: Client, name: str, query: str = "status=PAID", **changes: Any) -> Any:
    given = {"name": name, "description": "For the morning", "list_name": "invoices.invoice", "query": query}
    return client.post(ADD, given | changes)


def tabs_of(client: Client, query: str = "") -> dict[str, bool]:
    """The tabs above the list of invoices, and which of them is the one that is shown."""
    return {tab.words: tab.is_chosen for tab in client.get(f"{LIST}?{query}").context["cl"].tabs}


@pytest.mark.django_db
def test_a_saved_view_is_a_tab_that_leads_to_the_same_list() -> None:
    viewer = signed_in("viewer")
    before = viewer.get(f"{LIST}?status=PAID&p=0").context["cl"]
    assert before.save_address == f"{ADD}?list_name=invoices.invoice&query=status%3DPAID"
    assert "It shows status: PAID." in viewer.get(before.save_address).content.decode()

    answer = save(viewer, "Paid")

    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?status=PAID")
    view = SavedView.objects.get()
    assert (view.owner.get_username(), view.is_shared) == ("pat-viewer", False)
    assert tabs_of(viewer, "status=PAID")["Paid"] is True
    assert tabs_of(viewer)["Paid"] is False
    assert viewer.get(f"{LIST}?status=PAID").context["cl"].save_address == ""


@pytest.mark.django_db
def test_others_see_only_what_is_shared_and_change_none_of_it() -> None:
    operator, viewer = signed_in("operator"), signed_in("viewer")
    save(operator, "Mine")
    save(operator, "Ours", is_shared="on")
    shared = SavedView.objects.get(name="Ours")

    assert {"Mine", "Ours"} <= tabs_of(operator).keys()
    assert "Ours" in tabs_of(viewer)
    assert "Mine" not in tabs_of(viewer)
    page = f"/admin/savedviews/savedview/{shared.pk}"
    changed = viewer.post(f"{page}/change/", {"name": "Taken", "list_name": "invoices.invoice", "query": "q=1"})
    removed = viewer.post(f"{page}/delete/", {"post": "yes"})
    assert (changed.status_code, removed.status_code) == (403, 403)
    assert viewer.get(f"/admin/savedviews/savedview/{SavedView.objects.get(name='Mine').pk}/change/").status_code == 302
    assert sorted(SavedView.objects.values_list("name", flat=True)) == ["Mine", "Ours"]


@pytest.mark.django_db
def test_sharing_takes_a_right_that_a_viewer_has_not() -> None:
    save(signed_in("viewer"), "Paid", is_shared="on")

    assert SavedView.objects.get().is_shared is False


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query": "p=2"}, "Nothing is chosen that could be saved"),
        ({"list_name": "no.such"}, "There is no such list."),
        ({"list_name": "no"}, "There is no such list."),
        ({"list_name": "sessions.session"}, "There is no such list."),
        ({"name": "Paid"}, "You have a view of this name on this list already."),
    ],
)
def test_what_is_no_view_is_refused_and_nothing_is_kept(changes: dict[str, str], said: str) -> None:
    operator = signed_in("operator")
    save(operator, "Paid")
    entries = AuditEntry.objects.count()

    answer = save(operator, **{"name": "Another", **changes})

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert (SavedView.objects.count(), AuditEntry.objects.count()) == (1, entries)


@pytest.mark.django_db
def test_its_owner_renames_and_removes_it_and_nobody_without_a_role_saves_one() -> None:
    operator = signed_in("operator")
    save(operator, "Paid")
    page = f"/admin/savedviews/savedview/{SavedView.objects.get().pk}"

    operator.post(f"{page}/change/", {"name": "Paid up", "list_name": "invoices.invoice", "query": "status=PAID"})
    assert SavedView.objects.get().name == "Paid up"
    assert save(signed_in(None), "Paid").status_code == 403
    operator.post(f"{page}/delete/", {"post": "yes"})

    assert SavedView.objects.count() == 0
    actions = AuditEntry.objects.filter(object_type="savedviews.savedview").order_by("pk")
    assert [entry.action for entry in actions] == ["savedview.added", "savedview.changed", "savedview.deleted"]
    assert {entry.actor for entry in actions} == {User.objects.get(username="pat-operator").get_username()}
