from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission, User
from django.db import connection, models
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import ApiKey
from accounts.operations import add_client, issue_key
from accounts.scopes import PAYMENTS_READ
from kernel.adminsite import timeline
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from tests.kernel.adminsite.subjects import AT, WIZARDS, known, plausible

ACTOR = Actor.system("test")
# Written by every visit of a signed-in person, whatever the page does.
BOOKKEEPING = ("django_session", "axes_")
pytestmark = pytest.mark.django_db

admin.autodiscover()
# Any, because the stubs know none of the methods by which an admin lists its actions.
REGISTERED: dict[type[models.Model], Any] = admin.site._registry


def single_actions() -> list[tuple[str, str, bool]]:
    """(model label, action name, is about one record) of every button in the admin."""
    found = []
    for model, model_admin in REGISTERED.items():
        base = {
            True: (*model_admin._get_base_actions_row(), *model_admin._get_base_actions_detail())
            if hasattr(model_admin, "_get_base_actions_row")
            else (),
            False: model_admin._get_base_actions_list() if hasattr(model_admin, "_get_base_actions_list") else (),
        }
        for about_record, actions in base.items():
            names = dict.fromkeys(action.method.original_function_name for action in actions)
            found += [(model._meta.label, name, about_record) for name in names]
    return found


def selection_actions() -> list[tuple[str, str]]:
    """(model label, action name) of every action over ticked rows, but for Django's own deletion, which asks too."""
    return [
        (model._meta.label, name)
        for model, model_admin in REGISTERED.items()
        for _, name, _ in model_admin._get_base_actions()
        if name != "delete_selected"
    ]


def admin_of(label: str) -> admin.ModelAdmin[Any]:
    return next(found for model, found in REGISTERED.items() if model._meta.label == label)


def action_of(model_admin: admin.ModelAdmin[Any], name: str) -> Any:
    return getattr(type(model_admin), name)


def staff(*permissions: str) -> Client:
    user = User.objects.create(username="person", is_staff=True)
    for permission in permissions:
        label, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
    client = Client()
    client.force_login(user)
    return client


@contextmanager
def no_writes() -> Iterator[None]:
    """Fails when a statement writes to any table but those of sessions and logins."""
    writes: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        text = str(sql).strip().lower()
        reads = text.startswith(("select", "savepoint", "release", "rollback", "set "))
        if (not reads or " for update" in text) and not any(table in text for table in BOOKKEEPING):
            writes.append(text)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        yield
    assert writes == []


def address(label: str, name: str, about_record: bool) -> str:
    opts = admin_of(label).opts
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=["7"] if about_record else [])


def test_the_walk_meets_the_actions_there_are() -> None:
    assert ("jobs.JobRun", "cancel", True) in single_actions()
    assert ("accounts.ApiClient", "add_client", False) in single_actions()
    assert ("django_celery_beat.PeriodicTask", "switch_off") in selection_actions()


@pytest.mark.parametrize(
    ("label", "name"), [(label, name) for label, name, _ in single_actions()] + selection_actions()
)
def test_every_action_is_one_that_asks_first(label: str, name: str) -> None:
    declared = action_of(admin_of(label), name).confirmed_action

    app_label, codename = declared.permission.split(".")
    assert Permission.objects.filter(content_type__app_label=app_label, codename=codename).count() == 1
    assert declared.description


@pytest.mark.parametrize("label", [model._meta.label for model in REGISTERED])
def test_no_button_stands_beside_the_save_button(label: str) -> None:
    # Such an action would run with the saving of a form, and ask nobody.
    assert tuple(getattr(admin_of(label), "actions_submit_line", ())) == ()


@pytest.mark.parametrize(("label", "name", "about_record"), single_actions())
def test_get_shows_what_the_action_will_do_and_changes_nothing(label: str, name: str, about_record: bool) -> None:
    model_admin = admin_of(label)
    declared = action_of(model_admin, name).confirmed_action
    client = staff(declared.permission)
    record = known(label, name)

    with patch.object(model_admin, "get_object", lambda request, key: record), no_writes():
        answer = client.get(address(label, name, about_record))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.split("<h1")[1].split("</h1>")[0].rsplit("chevron_right")[-1].count(escape(declared.description)) == 1
    assert "csrfmiddlewaretoken" in page
    assert ('name="confirmed" value="yes"' in page) == (name not in WIZARDS)
    if name not in WIZARDS:
        assert page.split("data-effect>")[1].split("<")[0].strip()
        assert ('name="reason"' in page) == declared.asks_reason


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("label", "name", "about_record"), single_actions())
def test_without_its_permission_an_action_is_forbidden(label: str, name: str, about_record: bool, method: str) -> None:
    opts = admin_of(label).opts
    # Who may only look; an action that whoever looks may open (its operation decides) is closed to everybody else.
    may_look = f"{opts.app_label}.view_{opts.model_name}"
    client = staff(*({may_look} - {action_of(admin_of(label), name).confirmed_action.permission}))

    with no_writes():
        answer = getattr(client, method)(address(label, name, about_record), {"confirmed": "yes", "reason": "because"})

    assert answer.status_code == 403


@pytest.mark.parametrize(("label", "name"), selection_actions())
def test_without_its_permission_an_action_over_a_selection_is_forbidden(label: str, name: str) -> None:
    opts = admin_of(label).opts
    client = staff(f"{opts.app_label}.view_{opts.model_name}")

    with no_writes():
        answer = client.post(
            reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
            {"action": name, ACTION_CHECKBOX_NAME: [_key_of(admin_of(label).model)], "confirmed": "yes", "reason": "x"},
        )

    assert answer.status_code == 403


def _key_of(model: type[models.Model]) -> str:
    return str(plausible(model._meta.pk))


def queued_run(name: str = "count") -> JobRun:
    return JobRun.objects.create(name=name, requested_by="t", status="queued", status_since=AT, queued_at=AT)


def test_a_confirmed_action_acts_once_is_audited_and_leads_back() -> None:
    run = queued_run()
    client = staff("jobs.view_jobrun", "jobs.cancel_job")
    url = reverse("admin:jobs_jobrun_cancel", args=[run.pk])

    answer = client.post(url, {"confirmed": "yes", "reason": "not today", "back": "/admin/jobs/jobrun/?status=queued"})

    run.refresh_from_db()
    entry = AuditEntry.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, "/admin/jobs/jobrun/?status=queued")
    assert run.status == "cancelled"
    assert (entry.actor, entry.actor_kind, entry.reason) == ("person", "staff", "not today")
    assert timeline(run) == [entry]


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_missing_reason_is_asked_for_and_nothing_changes(reason: str) -> None:
    run = queued_run()
    client = staff("jobs.view_jobrun", "jobs.cancel_job")

    with no_writes():
        answer = client.post(reverse("admin:jobs_jobrun_cancel", args=[run.pk]), {"confirmed": "yes", "reason": reason})

    assert answer.status_code == 200
    assert "Say why" in answer.content.decode()


def test_a_post_that_does_not_come_from_the_confirmation_page_only_shows_it() -> None:
    run = queued_run()
    client = staff("jobs.view_jobrun", "jobs.cancel_job")

    with no_writes():
        answer = client.post(reverse("admin:jobs_jobrun_cancel", args=[run.pk]), {"reason": "not today"})

    assert answer.status_code == 200


def test_a_refusal_is_shown_in_plain_words_with_what_was_filled_in() -> None:
    run = queued_run()
    JobRun.objects.update(status="succeeded")
    client = staff("jobs.view_jobrun", "jobs.cancel_job")

    answer = client.post(
        reverse("admin:jobs_jobrun_cancel", args=[run.pk]), {"confirmed": "yes", "reason": "too late?"}
    )

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "has ended: it is succeeded. Nothing was changed." in page
    assert "too late?" in page
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_not_allowed(method: str) -> None:
    run = queued_run()
    client = staff("jobs.view_jobrun", "jobs.cancel_job")

    assert getattr(client, method)(reverse("admin:jobs_jobrun_cancel", args=[run.pk])).status_code == 405


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example/x", "javascript:alert(1)"])
def test_nobody_is_led_to_another_site(elsewhere: str) -> None:
    run = queued_run()
    client = staff("jobs.view_jobrun", "jobs.cancel_job")

    answer = client.post(
        reverse("admin:jobs_jobrun_cancel", args=[run.pk]), {"confirmed": "yes", "reason": "x", "back": elsewhere}
    )

    assert answer["Location"] == reverse("admin:jobs_jobrun_change", args=[run.pk])


def test_a_forged_post_without_the_csrf_token_is_refused() -> None:
    run = queued_run()
    staff("jobs.view_jobrun", "jobs.cancel_job")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())

    answer = strict.post(reverse("admin:jobs_jobrun_cancel", args=[run.pk]), {"confirmed": "yes", "reason": "x"})

    run.refresh_from_db()
    assert (answer.status_code, run.status) == (403, "queued")


def test_an_action_over_a_selection_asks_acts_on_each_and_reports_what_was_refused() -> None:
    every_minute = IntervalSchedule.objects.create(every=60, period="seconds")
    entries = [PeriodicTask.objects.create(name=f"entry {n}", task="t", interval=every_minute) for n in range(3)]
    client = staff("django_celery_beat.view_periodictask", "django_celery_beat.change_periodictask")
    url = reverse("admin:django_celery_beat_periodictask_changelist")
    form = {"action": "switch_off", ACTION_CHECKBOX_NAME: [str(entry.pk) for entry in entries[:2]]}

    with no_writes():
        asked = client.post(url, form)
    page = asked.content.decode()
    assert "entry 0" in page
    assert "entry 1" in page
    assert "entry 2" not in page

    changed = client.post(url, form | {"confirmed": "yes", "reason": "quiet night", "record_count": "3"})
    assert "selection has changed" in changed.content.decode()
    assert PeriodicTask.objects.filter(enabled=False).count() == 0

    done = client.post(url, form | {"confirmed": "yes", "reason": "quiet night", "record_count": "2"}, follow=True)
    assert "2 of 2 done" in done.content.decode()
    assert list(PeriodicTask.objects.filter(enabled=False).order_by("pk").values_list("name", flat=True)) == [
        "entry 0",
        "entry 1",
    ]
    assert len(set(AuditEntry.objects.values_list("object_id", flat=True))) == 2


def test_a_new_key_is_on_the_answer_and_nowhere_else() -> None:
    owner = add_client(name="Northern Till", slug="northern-till", actor=ACTOR, at=AT)
    client = staff("accounts.view_apiclient", "accounts.issue_key")

    answer = client.post(
        reverse("admin:accounts_apiclient_issue_key", args=[owner.pk]),
        {"confirmed": "yes", "reason": "first key", "scopes": [PAYMENTS_READ], "expires_at": ""},
    )

    page = answer.content.decode()
    text = page.split('id="new-key"')[1].split(">")[1].split("<")[0]
    key = ApiKey.objects.get()
    assert text.startswith(f"ps_{key.prefix}_")
    assert len(text) == 55
    assert "no-store" in answer["Cache-Control"]
    assert text not in str(dict(client.session.items()))
    assert text not in client.get(reverse("admin:accounts_apiclient_changelist")).content.decode()
    assert text[12:] not in str(list(AuditEntry.objects.values()))


def test_rotation_and_revocation_from_the_page_of_a_key() -> None:
    owner = add_client(name="Northern Till", slug="northern-till", actor=ACTOR, at=AT)
    key = issue_key(owner.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT).key
    client = staff("accounts.view_apikey", "accounts.rotate_key", "accounts.revoke_key")

    rotated = client.post(
        reverse("admin:accounts_apikey_rotate", args=[key.pk]),
        {"confirmed": "yes", "reason": "yearly", "overlap_hours": "2"},
    )
    again = client.post(
        reverse("admin:accounts_apikey_rotate", args=[key.pk]),
        {"confirmed": "yes", "reason": "yearly", "overlap_hours": "2"},
    )
    client.post(reverse("admin:accounts_apikey_revoke", args=[key.pk]), {"confirmed": "yes", "reason": "lost"})

    key.refresh_from_db()
    assert (rotated.status_code, again.status_code) == (200, 409)
    assert ApiKey.objects.count() == 2
    assert key.revoked_at is not None
