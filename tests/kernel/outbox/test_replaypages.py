"""The page of replays: choose, look, say why; and its list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kernel.approvals.models import ApprovalRequest
from kernel.approvals.operations import approve, execute
from kernel.audit.actors import Actor
from kernel.audit.models import AuditRetirement
from kernel.jobs import operations as jobs
from kernel.jobs.models import JobRun
from kernel.jobs.states import JobStatus
from kernel.outbox.forms import EventFilterForm
from kernel.outbox.models import OutboxDelivery, OutboxReplay
from kernel.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)
OPERATES = ("view_outboxevent", "replay_event", "view_outboxreplay", "view_approvalrequest")


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "announce", lambda run_id: True)


def staff(name: str, *codenames: str) -> tuple[User, Client]:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user, client


@pytest.fixture
def console() -> Client:
    return staff("operator", *OPERATES)[1]


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:outbox_outboxreplay_{name}", args=arguments)


def choice(**more: Any) -> dict[str, Any]:
    now = timezone.now().astimezone(settings.LEDGER_ZONE)
    form = "%Y-%m-%dT%H:%M:%S"
    begins, ends = now - timedelta(days=1), now + timedelta(days=1)
    return {
        "begins": begins.strftime(form),
        "ends": ends.strftime(form),
        "account": "",
        "event_type": "",
        "rate": 200,
    } | more


def send(client: Client, chosen: dict[str, Any], **more: Any) -> Any:
    shown = client.get(page("add"), chosen)
    form = shown.context["reason_form"]
    frozen = {name: form.fields[name].initial for name in ("highest_position", "digest")}
    answers = frozen | {"reason": "The reader lost them", "ticket": "T-1"} | more
    return client.post(page("add"), answers, query_params=chosen)


def test_looking_shows_what_the_choice_is_and_sends_nothing(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    positions = queue_events(12, keys=("ACCOUNT-0001234", "ACCOUNT-0005678"))
    Relay().drain()
    assert "1. Choose the events" in console.get(page("add")).content.decode()
    text = console.get(page("add"), choice()).content.decode()
    assert "12 events of 2 accounts" in text
    assert "They are queued at once" in text
    assert f">{positions[0]}</a>" in text
    assert f">{positions[-1]}</a>" in text
    assert "••••1234" in text
    assert "ACCOUNT-0001234" not in text
    assert not OutboxDelivery.objects.exists()


def test_few_are_sent_at_once(console: Client, queue_events: Callable[..., list[int]]) -> None:
    queue_events(12, keys=("A-1", "A-2"))
    Relay().drain()
    answer = send(console, choice(account="A-2"))
    assert answer.status_code == 302
    assert answer.url == reverse("admin:outbox_outboxevent_changelist")
    assert OutboxDelivery.objects.filter(is_replay=True).count() == 6


def test_many_are_asked_for_and_the_answer_leads_to_the_request(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    queue_events(101)
    Relay().drain()
    assert "This needs a second person" in console.get(page("add"), choice()).content.decode()
    answer = send(console, choice())
    request = ApprovalRequest.objects.get()
    assert answer.url == reverse("admin:approvals_approvalrequest_change", args=[request.pk])
    assert (request.reason, request.ticket) == ("The reader lost them", "T-1")
    assert not OutboxDelivery.objects.exists()
    assert "cannot approve it" in console.get(answer.url).content.decode()


def test_a_choice_that_is_not_what_was_shown_is_shown_anew(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    queue_events(3)
    Relay().drain()
    answer = send(console, choice(), digest="0" * 64)
    assert answer.status_code == 409
    assert "Nothing was sent." in answer.content.decode()
    assert answer.context["found"].count == 3
    assert not OutboxDelivery.objects.exists()


def test_without_a_reason_nothing_is_sent(console: Client, queue_events: Callable[..., list[int]]) -> None:
    queue_events(3)
    Relay().drain()
    answer = send(console, choice(), reason=" ")
    assert "Say why" in answer.content.decode()
    assert not OutboxDelivery.objects.exists()


def test_without_the_permission_neither_the_page_nor_the_act(queue_events: Callable[..., list[int]]) -> None:
    queue_events(3)
    Relay().drain()
    _, viewer = staff("viewer", "view_outboxreplay", "view_outboxevent")
    assert viewer.get(page("changelist")).status_code == 200
    assert page("add") not in viewer.get(page("changelist")).content.decode()
    assert viewer.get(page("add"), choice()).status_code == 403
    assert viewer.post(page("add"), {"reason": "x"}, query_params=choice()).status_code == 403
    assert not OutboxDelivery.objects.exists()


def test_nothing_chosen_and_events_that_are_not_kept_are_said(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    queue_events(2)
    assert "No event." in console.get(page("add"), choice(account="nobody")).content.decode()
    text = console.get(page("add"), choice()).content.decode()
    assert "not kept any more" not in text
    AuditRetirement.objects.create(
        operation=uuid4(),
        seal_sequence=1,
        source="outbox_event",
        retired_at=timezone.now(),
        first_recorded_at=timezone.now() - timedelta(days=60),
        last_recorded_at=timezone.now() - timedelta(days=50),
        entry_count=5,
        content_digest=b"",
        job_run_id=uuid4(),
    )
    long_ago = (timezone.now() - timedelta(days=55)).strftime("%Y-%m-%dT%H:%M")
    reaching_back = console.get(page("add"), choice(begins=long_ago)).content.decode()
    assert "reaches back to events that are not kept any more" in reaching_back
    assert "2 events of 1 account" in reaching_back
    assert "not kept any more" not in console.get(page("add"), choice()).content.decode()
    assert "2 of them wait for their delivery already" in text


def test_moments_are_read_on_the_ledgers_clock_and_a_range_ends_after_it_begins() -> None:
    form = EventFilterForm(choice(begins="2026-01-05T09:00", ends="2026-07-05T09:00"))
    assert form.is_valid()
    assert form.chosen.from_at.isoformat() == "2026-01-05T09:00:00-08:00"
    assert form.chosen.to_at.utcoffset() != form.chosen.from_at.utcoffset()
    turned = EventFilterForm(choice(begins="2026-07-05T09:00", ends="2026-01-05T09:00"))
    assert "The range ends before it begins." in turned.errors["ends"]
    assert "rate" in EventFilterForm(choice(rate=2001)).errors


def test_a_replay_is_shown_while_it_goes_on_stopped_and_finished(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    queue_events(101)
    Relay().drain()
    send(console, choice())
    boss, _ = staff("boss", "approve_replay")
    request = ApprovalRequest.objects.get()
    approve(request.pk, actor=Actor.staff(boss), at=timezone.now())
    execute(request.pk, at=timezone.now())
    replay = OutboxReplay.objects.get()
    record = page("change", replay.pk)
    assert "Under way" in console.get(record).content.decode()
    assert page("resume", replay.pk) not in console.get(record).content.decode()
    JobRun.objects.update(status=JobStatus.CANCELLED)
    assert "Stopped: resume it" in console.get(page("changelist")).content.decode()
    assert page("resume", replay.pk) in console.get(record).content.decode()
    console.post(page("resume", replay.pk), {"confirmed": "yes", "reason": "Worker was away"})
    replay.refresh_from_db()
    assert jobs.run_job(replay.run_id) == JobStatus.SUCCEEDED  # type: ignore[arg-type]
    text = console.get(record).content.decode()
    assert "Queued all" in text
    assert "101 of 101" in text
    assert OutboxDelivery.objects.count() == 101
