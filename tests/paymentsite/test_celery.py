from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from paymentsite.celery import Scheduled, app, schedule
from paymentsite.schedule import install_schedule, switch_entry

LINE = Scheduled("Look around", "demo.tasks.look", timedelta(seconds=30), "To see what is there.")


def test_every_line_names_a_task_that_exists() -> None:
    app.loader.import_default_modules()
    labels = {config.name for config in apps.get_app_configs()}

    def missing() -> Iterator[str]:
        for line in schedule():
            if line.task.rpartition(".tasks")[0] in labels and line.task not in app.tasks:
                yield line.task

    assert list(missing()) == []


def test_the_staging_interval_comes_from_the_settings() -> None:
    (staging,) = [line for line in schedule() if line.task == "payments.tasks.ingest_staging"]

    assert staging.every == timedelta(seconds=settings.STAGING_INTERVAL_SECONDS)


def test_names_and_tasks_are_said_once() -> None:
    lines = schedule()

    assert len({line.name for line in lines}) == len({line.task for line in lines}) == len(lines)
    assert all(line.why.endswith(".") for line in lines)


@pytest.mark.django_db
def test_a_second_installation_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("install_schedule")
    before = list(PeriodicTask.objects.order_by("pk").values())
    call_command("install_schedule")

    assert list(PeriodicTask.objects.order_by("pk").values()) == before
    assert PeriodicTask.objects.count() == len(schedule())
    assert f"0 entries added, 0 updated, {len(schedule())} left" in capsys.readouterr().out


@pytest.mark.django_db
def test_a_new_default_replaces_the_old_one_that_nobody_touched() -> None:
    install_schedule((LINE,))

    outcome = install_schedule((replace(LINE, every=timedelta(seconds=60)),))

    entry = PeriodicTask.objects.get()
    assert outcome.updated == ("Look around",)
    assert (entry.interval.every, entry.interval.period, entry.expire_seconds) == (60, "seconds", 60)
    assert entry.description == "To see what is there.\nInstalled as: every 60 s."


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["interval", "description"])
def test_what_staff_changed_stays(change: str) -> None:
    install_schedule((LINE,))
    entry = PeriodicTask.objects.get()
    if change == "interval":
        entry.interval = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.MINUTES)
    else:
        entry.description = "Ours now."
    entry.save()
    kept = PeriodicTask.objects.values().get()

    outcome = install_schedule((replace(LINE, every=timedelta(seconds=60)),))

    assert outcome.left == ("Look around",)
    assert PeriodicTask.objects.values().get() == kept


@pytest.mark.django_db
def test_an_entry_that_staff_switched_off_and_renamed_is_found_and_stays_off() -> None:
    install_schedule((LINE,))
    entry = PeriodicTask.objects.get()
    entry.name = "Another name"
    entry.save()
    at = datetime(2026, 3, 2, tzinfo=UTC)
    switch_entry(entry.pk, enabled=False, actor=Actor.system("test"), reason="noisy", at=at)

    install_schedule((replace(LINE, every=timedelta(seconds=60)),))

    entry = PeriodicTask.objects.get()
    assert (entry.name, entry.enabled, entry.interval.every) == ("Another name", False, 60)
    assert AuditEntry.objects.get().action == "schedule.switched-off"
