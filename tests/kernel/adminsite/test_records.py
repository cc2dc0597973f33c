"""The record page: what a subclass says of a record stands on it, with the story of all that belongs to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.sites import AdminSite
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.html import format_html

from kernel.adminsite import (
    Confirmation,
    Facts,
    MoneyBox,
    MoneyLine,
    Panel,
    RecordAdmin,
    Related,
    Step,
    confirmed_action,
    name_thing,
    record_link,
    register_panel,
    register_steps,
    timeline_of,
)
from kernel.adminsite import facts as panel_registry
from kernel.adminsite import story as step_registry
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.audit.operations import record_entry
from kernel.errors import Conflict
from kernel.jobs.models import JobRun
from kernel.transactions import unit_of_work

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
KIM = Actor.system("kim")


class Jammed(Conflict):
    """The effect cannot be stated."""


def jammed(record: Any) -> str:
    raise Jammed("The drawer is jammed.")


class DrawerAdmin(RecordAdmin):
    """A record page about any row; a job run serves."""

    actions_detail = ("shut", "pull")

    def facts(self, record: Any) -> list[Facts]:
        return [Facts("Who", (("Name", record.name), ("Place", None), ("Markup", "<i>x</i>"), ("Zero", 0)))]

    def money_box(self, record: Any) -> MoneyBox:
        return MoneyBox((MoneyLine("Total", Decimal("1234.50")), MoneyLine("Owing", Decimal("0.00"), True)), "CAD")

    def related(self, record: Any) -> list[Related]:
        return [
            Related("Runs", (record_link(JobRun, record.pk, "The run"),)),
            Related("None", (), ""),
            Related("Slips", (), "No slip"),
        ]

    def panels(self, request: HttpRequest, record: Any) -> list[Panel]:
        return [
            Panel("Late", "b", order=200),
            Panel("Early", format_html("<b>{}</b>", "&"), order=10),
            Panel("Beside", "c", "side"),
        ]

    def timeline_subjects(self, record: Any) -> list[Any]:
        return [record, ("drawers.key", "7")]

    def steps(self, record: Any) -> list[Step]:
        return [Step(AT + timedelta(minutes=5), "Event delivered", link="Event 3")]

    def raw(self, record: Any) -> Any:
        return {"<script>": 1}

    @confirmed_action(
        description="Shut",
        permission="jobs.cancel_job",
        effect=lambda record: f"Shuts {record.name}.",
        attrs={"data-key": "s"},
    )
    def shut(self, request: HttpRequest, record: Any, confirmation: Confirmation) -> str:
        return ""

    @confirmed_action(description="Pull", permission="jobs.request_job", effect=jammed)
    def pull(self, request: HttpRequest, record: Any, confirmation: Confirmation) -> str:
        return ""


@pytest.fixture
def run() -> JobRun:
    return JobRun.objects.create(name="tidy", status="queued", status_since=AT, queued_at=AT, requested_by="kim")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(panel_registry, "_sources", {})
    monkeypatch.setattr(step_registry, "_sources", {})
    monkeypatch.setattr("kernel.adminsite.records.reverse", lambda name, args: f"/{name.rpartition('_')[2]}/{args[0]}/")
    monkeypatch.setattr(step_registry, "_things", {})
    return DrawerAdmin(JobRun, AdminSite(name="admin"))


def asked_by(*, is_superuser: bool = True) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = User.objects.create_user("pat", is_staff=True, is_superuser=is_superuser)
    return request


@unit_of_work
def entry(subject: Any, action: str, minutes: int, **more: Any) -> AuditEntry:
    return record_entry(actor=KIM, action=action, subject=subject, at=AT + timedelta(minutes=minutes), **more)


def test_facts_money_actions_and_related_records_stand_on_the_page(page: DrawerAdmin, run: JobRun) -> None:
    context = page.page_context(asked_by(), run)
    assert [(action.title, action.effect, action.key) for action in context["allowed"]] == [
        ("Shut", "Shuts tidy.", "s"),
        ("Pull", "Not now: The drawer is jammed.", ""),
    ]
    assert [group.title for group in context["related"]] == ["Runs", "Slips"]
    assert [box.title for box in context["main_panels"]] == ["Early", "Late"]
    assert [box.title for box in context["side_panels"]] == ["Beside"]
    shown = [(line.label, line.is_sum, str(amount)) for line, amount in context["money_box"].shown]
    assert [(label, is_sum) for label, is_sum, _ in shown] == [("Total", False), ("Owing", True)]
    assert "1,234.50" in shown[0][2]
    assert "&lt;script&gt;" in context["raw"]


def test_only_what_the_person_may_do_is_among_the_actions(page: DrawerAdmin, run: JobRun) -> None:
    assert page.page_context(asked_by(is_superuser=False), run)["allowed"] == []


def test_the_story_is_one_stream_of_the_record_and_what_belongs_to_it(page: DrawerAdmin, run: JobRun) -> None:
    name_thing("drawer", "Old drawer")
    own = entry(run, "drawer.taken-out", 1, reason="Full", before={"a": 1}, after={"a": 2})
    entry(("drawers.key", "7"), "key.lost", 9)
    entry(("drawers.key", "8"), "key.found", 10)
    register_steps(
        "notes", lambda request, keys: [Step(AT + timedelta(minutes=7), f"Note on {len(keys)}", "pat", text="hm")]
    )
    story = page.page_context(asked_by(), run)["story"]
    assert [step.title for step in story] == ["Key lost", "Note on 2", "Event delivered", "Old drawer taken out"]
    assert (story[3].who, story[3].reason, story[3].before, story[3].after) == ("kim", "Full", {"a": 1}, {"a": 2})
    assert (story[3].audit_id, story[3].about, story[0].about) == (own.pk, "", "")
    text = render_to_string("admin/paymentsite/after_record.html", {"story": story})
    assert text.index("Key lost") < text.index("hm") < text.index("Event 3") < text.index("Reason: Full")
    # The link to the audit is for who may see the audit.
    assert f"Audit entry {own.pk}" not in text


def test_the_entries_of_many_subjects_are_read_by_one_query(run: JobRun) -> None:
    for number in range(6):
        entry(("drawers.key", str(number)), "key.lost", number)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = timeline_of([run, *(("drawers.key", str(number)) for number in range(5))], limit=3)
    assert [kept.object_id for kept in found] == ["4", "3", "2"]
    assert len(queries) == 1
    assert timeline_of([]) == []


def test_registered_panels_stand_on_every_record_and_none_is_left_out_of_place(page: DrawerAdmin, run: JobRun) -> None:
    register_panel("nothing", lambda request, record: None)
    register_panel("notes", lambda request, record: Panel("Notes", f"about {record.name}", order=50, anchor="notes"))
    boxes = page.page_context(asked_by(), run)["main_panels"]
    assert [(box.title, box.content) for box in boxes] == [
        ("Early", "<b>&amp;</b>"),
        ("Notes", "about tidy"),
        ("Late", "b"),
    ]
    text = render_to_string("admin/paymentsite/panel.html", {"panel": boxes[1]})
    assert 'id="notes"' in text


def test_a_plain_record_page_says_what_will_appear_on_it(run: JobRun) -> None:
    context = RecordAdmin(JobRun, AdminSite(name="admin")).page_context(asked_by(), run)
    assert (context["fact_groups"], context["money_box"], context["related"], context["raw"]) == ((), None, [], None)
    assert context["story"] == []
    assert "will appear here" in context["story_empty"]
