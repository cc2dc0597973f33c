from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from paymentsite.roles import MATRIX, ROLES, MatrixUnreadable, PermissionUnknown, permissions_by_role, sync_roles

pytestmark = pytest.mark.django_db


def held_by(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{label}.{codename}" for label, codename in rows}


def test_each_role_holds_exactly_its_column() -> None:
    sync_roles()

    for role, permissions in permissions_by_role().items():
        assert held_by(role) == permissions
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


def test_a_second_run_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(sync_roles()) == len(ROLES)

    assert sync_roles() == []
    call_command("sync_roles")
    assert capsys.readouterr().out == "The roles hold their permissions already.\n"


def test_what_was_granted_or_withdrawn_by_hand_is_put_right_and_other_groups_are_left_alone() -> None:
    sync_roles()
    Group.objects.get(name="viewer").permissions.set([Permission.objects.get(codename="revoke_key")])
    own = Group.objects.create(name="our own")
    own.permissions.add(Permission.objects.get(codename="revoke_key"))

    (change,) = sync_roles()

    assert (change.role, change.withdrawn) == ("viewer", ("accounts.revoke_key",))
    assert held_by("viewer") == permissions_by_role()["viewer"]
    assert held_by("our own") == {"accounts.revoke_key"}


def test_a_permission_that_does_not_exist_is_named_and_nothing_changes() -> None:
    with pytest.raises(PermissionUnknown, match=r"There is no permission jobs\.requset_job"):
        sync_roles(MATRIX.replace("jobs.request_job", "jobs.requset_job"))

    assert Group.objects.count() == 0


def test_a_line_with_a_mark_too_few_is_named() -> None:
    with pytest.raises(MatrixUnreadable, match=r"jobs\.cancel_job"):
        permissions_by_role(MATRIX.replace("jobs.cancel_job                             .", "jobs.cancel_job"))


def test_nobody_but_an_operator_corrects_and_nobody_but_an_administrator_gives_out_keys() -> None:
    by_role = permissions_by_role()

    assert [role for role in ROLES if "payments.correct_rejection" in by_role[role]] == ["operator"]
    assert [role for role in ROLES if "accounts.issue_key" in by_role[role]] == ["administrator"]


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("viewer", set()),
        ("auditor", {"invoices.export_invoices"}),
        ("approver", {"outbox.approve_replay", "invoices.approve_refund", "notes.add_note", "notes.add_attachment"}),
    ],
)
def test_viewers_and_auditors_change_nothing_and_approvers_decide(role: str, permissions: set[str]) -> None:
    held = permissions_by_role()[role]
    assert {permission for permission in held if ".view_" not in permission} == permissions


def test_no_role_may_both_ask_for_a_replay_and_approve_it() -> None:
    both = {"outbox.replay_event", "outbox.approve_replay"}
    assert [role for role, held in permissions_by_role().items() if both <= held] == []


def test_no_role_may_both_ask_for_a_refund_and_approve_it() -> None:
    both = {"invoices.request_refund", "invoices.approve_refund"}
    assert [role for role, held in permissions_by_role().items() if both <= held] == []


def test_a_person_in_a_role_has_its_permissions() -> None:
    sync_roles()
    user = User.objects.create(username="mira")
    user.groups.add(Group.objects.get(name="operator"))

    assert user.has_perm("jobs.cancel_job")
    assert not user.has_perm("accounts.issue_key")
