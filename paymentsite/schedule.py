"""Writes the schedule of celery.py into django-celery-beat's tables, and leaves alone what staff changed there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.transactions import unit_of_work
from paymentsite.celery import Scheduled, schedule

# "beat" in ASCII: several processes that start together install one after the other.
INSTALLER_LOCK = 0x62656174
# The last line of a description says what was installed; by it we tell our own default from a change by staff.
INSTALLED_AS = re.compile(r"Installed as: every ([0-9]+) s\.\Z")


@dataclass(frozen=True, slots=True)
class Installation:
    """Names of the entries that were added, updated to a new default, and left as staff have them."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    left: tuple[str, ...]


@unit_of_work
def install_schedule(lines: tuple[Scheduled, ...] | None = None) -> Installation:
    """Adds what is missing and updates what still stands as an earlier version installed it. Repeating is harmless.

    An entry whose interval staff changed is left as it is, and one that they switched off stays off.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [INSTALLER_LOCK])
    outcomes: dict[str, list[str]] = {"added": [], "updated": [], "left": []}
    for line in schedule() if lines is None else lines:
        outcomes[_install(line)].append(line.name)
    return Installation(**{outcome: tuple(names) for outcome, names in outcomes.items()})


@unit_of_work
def switch_entry(entry_id: int, *, enabled: bool, actor: Actor, reason: str, at: datetime) -> PeriodicTask:
    """Switches one entry of the schedule on or off; beat notices within seconds."""
    entry = PeriodicTask.objects.select_for_update().get(pk=entry_id)
    if entry.enabled != enabled:
        entry.enabled = enabled
        entry.save()
        record_entry(
            actor=actor,
            action="schedule.switched-on" if enabled else "schedule.switched-off",
            subject=entry,
            before={"enabled": not enabled},
            after={"enabled": enabled},
            reason=reason,
            at=at,
        )
    return entry


def _install(line: Scheduled) -> str:
    # Found by task: staff may have given the entry another name.
    entry = PeriodicTask.objects.filter(task=line.task).select_related("interval").order_by("pk").first()
    seconds = int(line.every.total_seconds())
    description = f"{line.why}\nInstalled as: every {seconds} s."
    if entry is None:
        PeriodicTask.objects.create(
            name=line.name,
            task=line.task,
            interval=_interval(seconds),
            expire_seconds=seconds,
            description=description,
        )
        return "added"
    if entry.description == description or not _is_as_installed(entry):
        return "left"
    entry.interval, entry.expire_seconds, entry.description = _interval(seconds), seconds, description
    entry.save()
    return "updated"


def _is_as_installed(entry: PeriodicTask) -> bool:
    installed = INSTALLED_AS.search(entry.description)
    if installed is None or entry.interval is None:
        return False
    return entry.interval.period == IntervalSchedule.SECONDS and entry.interval.every == int(installed[1])


def _interval(seconds: int) -> IntervalSchedule:
    # The table has no unique constraint, so more than one row may say the same.
    known = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS).order_by("pk").first()
    return known or IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)
