"""The console's page of events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from kernel.audit.models import AuditEntry
from kernel.outbox.display import indented, masked_key
from kernel.outbox.forms import PositionsForm
from kernel.outbox.models import OutboxDelivery
from kernel.outbox.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator() -> User:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_outboxevent", "replay_event")))
    return user


@pytest.fixture
def console(operator: User) -> Client:
    client = Client()
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:outbox_outboxevent_{name}", args=arguments)


def test_the_list_masks_keys_and_shows_each_state(console: Client, queue_events: Callable[..., list[int]]) -> None:
    queue_events(1, keys=("ACCOUNT-0001234",))
    Relay().drain()
    queue_events(1, keys=("ACCOUNT-0005678",), starting_at=1)
    text = console.get(page("changelist")).content.decode()
    assert "••••1234" in text
    assert "••••5678" in text
    assert "ACCOUNT" not in text
    assert "Delivered</span>" in text
    assert "Waiting</span>" in text
    waiting_only = console.get(page("changelist"), {"state": "waiting"}).content.decode()
    assert "••••5678" in waiting_only
    assert "••••1234" not in waiting_only


def test_sending_again_asks_first_and_acts_on_confirmation_only(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    [position] = queue_events(1)
    Relay().drain()
    assert console.get(page("change", position)).status_code == 200
    action = page("replay", position)
    assert console.get(action).status_code == 200
    assert not OutboxDelivery.objects.exists()
    console.post(action, {"confirmed": "yes", "reason": ""})
    assert not OutboxDelivery.objects.exists()
    console.post(action, {"confirmed": "yes", "reason": "The reader lost it"})
    assert OutboxDelivery.objects.get().position == position
    assert AuditEntry.objects.get().actor == "operator"


def test_several_events_are_sent_again_by_their_positions(
    console: Client, queue_events: Callable[..., list[int]]
) -> None:
    positions = queue_events(5)
    Relay().drain()
    answers = {"confirmed": "yes", "reason": "gap", "positions": f"{positions[0]}, {positions[2]}-{positions[4]}"}
    console.post(page("replay_several"), answers)
    queued = set(OutboxDelivery.objects.values_list("position", flat=True))
    assert queued == {positions[0], *positions[2:]}


def test_without_the_permission_nothing_is_sent_again(
    console: Client, operator: User, queue_events: Callable[..., list[int]]
) -> None:
    [position] = queue_events(1)
    Relay().drain()
    operator.user_permissions.set(Permission.objects.filter(codename="view_outboxevent"))
    answer = console.post(page("replay", position), {"confirmed": "yes", "reason": "mine"})
    assert answer.status_code == 403
    assert not OutboxDelivery.objects.exists()


@pytest.mark.parametrize("text", ["", "0", "7-", "a", "9-3", "1;2", "1,,2"])
def test_positions_that_cannot_be_read_are_refused(text: str) -> None:
    form = PositionsForm({"positions": text})
    assert not form.is_valid()
    assert "positions" in form.errors


def test_a_huge_range_is_cut_to_one_more_than_may_be_replayed() -> None:
    form = PositionsForm({"positions": "1-999999999999999999"})
    assert form.is_valid()
    assert form.cleaned_data["positions"] == list(range(1, 102))


def test_a_body_is_shown_with_its_fields_in_order_and_its_numbers_exact() -> None:
    assert indented('{"b": 1.10, "a": [1, {}]}') == '{\n  "b": 1.10,\n  "a": [\n    1,\n    {}\n  ]\n}'
    assert indented("not json") == "not json"


def test_a_short_key_shows_nothing() -> None:
    assert masked_key("123") == "••••"
