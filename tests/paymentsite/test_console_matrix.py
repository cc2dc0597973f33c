"""Every action and every list of the console with every role and method: who is let in, and that nobody else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from paymentsite.roles import ROLES, permissions_by_role, sync_roles

pytestmark = pytest.mark.django_db(transaction=True)
admin.autodiscover()
PEOPLE: tuple[str | None, ...] = (*ROLES, None)
OPERATORS = frozenset({"operator"})
ADMINISTRATORS = frozenset({"administrator"})
BOTH = OPERATORS | ADMINISTRATORS
# Whose turn it is, and whether the kind of request is theirs, is asked by the operation: see the tests of approvals.
READERS_OF_APPROVALS = BOTH | {"approver", "auditor"}
WHO_MAY: dict[frozenset[str], dict[str, str]] = {
    OPERATORS: {
        "accounts.paymentaccount": "accept_terms activate_debits freeze_debits unfreeze_debits lift_lock lock "
        "set_bank_details",
        "invoices.invoice": "apply_credit cancel charge_back convert record_outside_refund refund",
        "invoices.refund": "confirm refuse",
        "payments.payment": "record_by_hand",
        "payments.referenceconflict": "correct dismiss",
        "payments.stagingrejection": "correct dismiss",
    },
    ADMINISTRATORS: {
        "accounts.apiclient": "add_client issue_key set_reach switch_off switch_on",
        "accounts.apikey": "revoke rotate",
        "accounts.partner": "add_partner change_partner give_product take_product",
        "accounts.paymentaccount": "close remove_fee set_fee",
        "catalogue.feeschedule": "new_version",
        "catalogue.glcode": "replace",
        "catalogue.gllink": "new_version",
        "catalogue.taxrate": "new_version",
        "django_celery_beat.periodictask": "switch_off switch_on",
        "payments.channel": "add_channel change_channel end_old_secret rotate",
        "payments.partitionarchive": "archive_now",
    },
    BOTH: {
        "accounts.paymentaccount": "change_details change_method open_account reveal",
        "audit.auditretirement": "prune_now rehearse",
        "invariants.invariantoutcome": "verify_now",
        "invoices.cardattempt": "ask",
        "invoices.invoice": "ask_outside",
        "invoices.outsidecall": "ask",
        "invoices.refund": "ask_gateway",
        "jobs.jobrun": "cancel",
        "notes.note": "strike",
        "outbox.outboxevent": "replay replay_several",
        "outbox.outboxreplay": "resume",
        "payments.partitionarchive": "drop_copy rehearse restore",
        "payments.paymentstaging": "take_in",
        "payments.stagingprocesslog": "take_in",
    },
    READERS_OF_APPROVALS: {"approvals.approvalrequest": "approve carry_out refuse withdraw"},
}
NEEDED = {
    (model, action): roles
    for roles, by_model in WHO_MAY.items()
    for model, actions in by_model.items()
    for action in actions.split()
}
# The table of the staging is another system's, and not there in this test.
LISTS = sorted({model._meta.label_lower for model in admin.site._registry} - {"payments.paymentstaging"})
# Only one's own views are there for anybody, and the only thing that somebody may delete.
OWN = "savedviews.savedview"
# What is added by another right than that of its own name: everybody keeps views, and a replay is an act.
ADDED_BY = {OWN: "savedviews.view_savedview", "outbox.outboxreplay": "outbox.replay_event"}


def declared() -> Iterator[tuple[str, str]]:
    """Every method of every page that says which permission it takes."""
    for model, pages in admin.site._registry.items():
        for name in dir(type(pages)):
            if hasattr(getattr(type(pages), name, None), "required_permission"):
                yield model._meta.label_lower, name


def address(model: str, action: str) -> str:
    """The action's page; of a record that is not there, when it is about one."""
    pages: Any = next(pages for kind, pages in admin.site._registry.items() if kind._meta.label_lower == model)
    is_of_a_list = repr(action) in repr(pages.actions_list)
    return reverse(f"admin:{model.replace('.', '_')}_{action}", args=[] if is_of_a_list else ["0"])


@pytest.fixture
def people() -> dict[str | None, Client]:
    sync_roles()
    found: dict[str | None, Client] = {}
    for role in PEOPLE:
        user = User.objects.create_user(f"pat-{role}", is_staff=True)
        user.groups.set(Group.objects.filter(name=role))
        found[role] = Client()
        found[role].force_login(user)
    return found


def test_the_matrix_names_every_action_of_the_console() -> None:
    assert set(declared()) == set(NEEDED)


def test_every_cell_of_action_role_and_method(people: dict[str | None, Client]) -> None:
    asserted = 0
    for (model, action), roles in NEEDED.items():
        path = address(model, action)
        for role, person in people.items():
            cell = (model, action, role)
            # Who is let in is asked to confirm, or told that there is no such record.
            expected = {200, 302, 404} if role in roles else {403}
            assert person.get(path).status_code in expected, cell
            if role not in roles:
                assert person.post(path, {"confirmed": "yes", "reason": "Ticket 7"}).status_code == 403, cell
            for method in ("put", "patch", "delete"):
                assert getattr(person, method)(path).status_code in ({405} if role in roles else {403}), (cell, method)
            asserted += 5 if role not in roles else 4
    assert asserted == sum(len(PEOPLE) * 5 - len(roles) for roles in NEEDED.values())
    assert (AuditEntry.objects.count(), JobRun.objects.count()) == (0, 0)


def test_a_list_is_for_who_may_see_its_records_and_no_role_deletes(people: dict[str | None, Client]) -> None:
    held = permissions_by_role()
    for model in LISTS:
        app, _, name = model.partition(".")
        for role, person in people.items():
            cell, permissions = (model, role), held.get(role or "", frozenset())
            listed = person.get(reverse(f"admin:{app}_{name}_changelist")).status_code
            assert listed == (200 if f"{app}.view_{name}" in permissions else 403), cell
            if ADDED_BY.get(model, f"{app}.add_{name}") not in permissions:
                assert person.get(reverse(f"admin:{app}_{name}_add")).status_code == 403, cell
            removed = person.post(reverse(f"admin:{app}_{name}_delete", args=["0"]), {"post": "yes"})
            assert removed.status_code == (302 if model == OWN and role in held else 403), cell
