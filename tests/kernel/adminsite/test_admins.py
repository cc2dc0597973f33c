from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection, models
from django.test import Client
from django.urls import reverse

from accounts.models import ApiClient, ApiKey
from kernel.adminsite import EstimatedCountPaginator
from kernel.adminsite.pagination import estimated_rows
from kernel.audit.models import AuditEntry, AuditSeal
from kernel.jobs.models import JobRun
from kernel.outbox.models import OutboxEvent

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db

admin.autodiscover()


def queue_runs(count: int) -> None:
    for n in range(count):
        JobRun.objects.create(name=f"job {n}", requested_by="t", status="queued", status_since=AT, queued_at=AT)


@pytest.mark.parametrize("model", [ApiClient, ApiKey, AuditEntry, JobRun])
def test_evidence_has_no_form_to_add_change_or_delete_it(model: type[models.Model]) -> None:
    User.objects.create(username="root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(User.objects.get())
    opts = model._meta
    place = f"admin:{opts.app_label}_{opts.model_name}"

    assert client.get(reverse(f"{place}_changelist")).status_code == 200
    assert client.get(reverse(f"{place}_add")).status_code == 403
    assert client.post(reverse(f"{place}_delete", args=["7"]), {"post": "yes"}).status_code in (302, 403)


@pytest.mark.parametrize("label", [model._meta.label for model in admin.site._registry])
def test_every_list_opens_for_those_who_may_look(label: str) -> None:
    User.objects.create(username="root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(User.objects.get())
    opts = apps.get_model(label)._meta

    assert client.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")).status_code == 200


@pytest.mark.parametrize("model", [ApiClient, ApiKey, AuditEntry, AuditSeal, JobRun, OutboxEvent])
def test_an_empty_list_says_what_it_is_and_what_will_appear_in_it(model: type[models.Model]) -> None:
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    shown: Any = admin.site._registry[model]

    page = html.unescape(
        client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")).content.decode()
    )

    assert len(shown.intro) > 40
    assert shown.intro in page
    assert len(shown.empty_text) > 15
    assert shown.empty_text in page


def test_a_run_that_has_ended_cannot_be_cancelled_from_its_page() -> None:
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    queue_runs(1)
    run = JobRun.objects.get()
    action = reverse("admin:jobs_jobrun_cancel", args=[run.pk])
    page = reverse("admin:jobs_jobrun_change", args=[run.pk])

    assert action in client.get(page).content.decode()
    JobRun.objects.update(status="succeeded")
    assert action not in client.get(page).content.decode()


def test_a_change_by_form_is_audited_without_its_values() -> None:
    person = User.objects.create(username="root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(person)

    client.post(
        reverse("admin:auth_user_add"),
        {
            "username": "new.person",
            "password1": "quite long enough",
            "password2": "quite long enough",
            "usable_password": "true",
        },
    )

    entry = AuditEntry.objects.get(action="user.added")
    assert (entry.actor, entry.object_label) == ("root", "new.person")
    assert "quite long enough" not in str(entry.after)

    added = User.objects.get(username="new.person")
    client.post(
        reverse("admin:auth_user_password_change", args=[added.pk]),
        {"password1": "another long one", "password2": "another long one", "usable_password": "true"},
    )
    added.refresh_from_db()
    assert added.check_password("another long one")
    assert AuditEntry.objects.about(added)[0].action == "user.changed"


def test_a_small_list_is_counted_exactly_and_a_big_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    queue_runs(12)
    runs = JobRun.objects.order_by("pk")
    assert EstimatedCountPaginator(runs, 5).count_shown == "12"

    monkeypatch.setattr("kernel.adminsite.pagination.EXACT_LIMIT", 10)
    capped = EstimatedCountPaginator(runs.filter(status="queued"), 5)

    assert (capped.count, capped.num_pages, capped.is_capped, capped.count_shown) == (10, 2, True, "10+")


def test_an_unfiltered_big_list_says_how_many_rows_the_database_believes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    queue_runs(12)
    monkeypatch.setattr("kernel.adminsite.pagination.EXACT_LIMIT", 10)
    monkeypatch.setattr("kernel.adminsite.pagination.estimated_rows", lambda table: 5_200_000)

    assert EstimatedCountPaginator(JobRun.objects.order_by("pk"), 5).count_shown == "about 5,200,000"


def test_the_estimate_adds_the_partitions_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("create table parted (id int, at date) partition by range (at)")
        cursor.execute("create table parted_1 partition of parted for values from ('2026-01-01') to ('2026-02-01')")
        cursor.execute("create table parted_2 partition of parted for values from ('2026-02-01') to ('2026-03-01')")
        cursor.execute("insert into parted select n, '2026-01-05' from generate_series(1, 30) n")
        cursor.execute("insert into parted select n, '2026-02-05' from generate_series(1, 12) n")
        cursor.execute("analyze parted")
        assert estimated_rows("parted") == 42
        assert estimated_rows("no_such_table") is None
