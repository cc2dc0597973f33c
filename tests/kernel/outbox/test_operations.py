"""Announcing and sending again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from confluent_kafka import Message

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.audit.sealing import seal_all
from kernel.errors import NotFound
from kernel.outbox.models import OutboxDelivery, OutboxEvent, OutboxPublication
from kernel.outbox.operations import Event, ReplayNeedsApproval, ReplayRefused, StillWaiting, announce, replay
from kernel.outbox.relay import Relay
from kernel.outbox.tail import headers_of_message
from kernel.transactions import TransactionMisuse, unit_of_work
from tests.kernel.outbox.conftest import AT

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor.system("tests")


def test_a_message_carries_exactly_the_attributes_of_its_event(
    announce_one: Callable[..., int], published: Callable[..., list[Message]]
) -> None:
    position = announce_one(key="A-1", body={"amount": Decimal("1234567890123.10"), "name": "Zoë"})
    Relay().drain()
    [message] = published(1)
    assert message.headers() == [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(OutboxEvent.objects.get().event_id).encode()),
        ("ce_type", b"thing.happened"),
        ("ce_source", b"/tests"),
        ("ce_time", b"2026-03-04T05:06:07.891000Z"),
        ("ce_sequence", f"{position:019d}".encode()),
        ("content-type", b"application/json"),
        ("ce_subject", b"thing/1"),
    ]
    assert message.key() == b"A-1"
    assert message.value() == '{"amount": 1234567890123.10, "name": "Zoë"}'.encode()


def test_an_event_disappears_with_the_unit_of_work_that_announced_it(topic: str) -> None:
    @unit_of_work
    def announced_and_regretted() -> None:
        announce(Event(event_type="a", source="/t", subject="", topic=topic, key="k", body={}), at=AT)
        raise RuntimeError("regretted")

    with pytest.raises(RuntimeError, match="regretted"):
        announced_and_regretted()
    assert not OutboxEvent.objects.exists()
    assert not OutboxDelivery.objects.exists()


def test_announcing_outside_a_unit_of_work_is_refused(topic: str) -> None:
    with pytest.raises(TransactionMisuse):
        announce(Event(event_type="a", source="/t", subject="", topic=topic, key="k", body={}), at=AT)
    assert not OutboxEvent.objects.exists()


def test_a_replayed_event_keeps_its_id_and_the_replay_is_audited(
    announce_one: Callable[..., int], published: Callable[..., list[Message]]
) -> None:
    position = announce_one()
    Relay().drain()
    assert replay([position], actor=ACTOR, reason="The reader lost it", at=AT) == 1
    assert Relay().drain() == 1
    ids = [headers_of_message(message)["ce_id"] for message in published(2)]
    assert ids == [str(OutboxEvent.objects.get().event_id)] * 2
    assert OutboxPublication.objects.filter(positions__holds=position).count() == 2
    entry = AuditEntry.objects.get(action="event.replayed")
    assert (entry.object_id, entry.reason, entry.actor) == (str(position), "The reader lost it", "tests")


def test_an_event_that_still_waits_is_not_replayed_and_neither_are_the_others(
    queue_events: Callable[..., list[int]],
) -> None:
    delivered = queue_events(2)
    Relay().drain()
    waiting = queue_events(1, starting_at=2)
    with pytest.raises(StillWaiting) as refusal:
        replay([*delivered, *waiting], actor=ACTOR, reason="again", at=AT)
    assert refusal.value.context["positions"] == waiting
    assert list(OutboxDelivery.objects.values_list("position", flat=True)) == waiting
    assert not AuditEntry.objects.exists()


def test_more_than_a_hundred_events_need_an_approval(queue_events: Callable[..., list[int]]) -> None:
    positions = queue_events(101)
    Relay().drain()
    with pytest.raises(ReplayNeedsApproval):
        replay(positions, actor=ACTOR, reason="all of them", at=AT)
    assert not OutboxDelivery.objects.exists()
    assert replay(positions[:100], actor=ACTOR, reason="most of them", at=AT) == 100
    assert OutboxDelivery.objects.count() == 100


def test_replaying_needs_a_reason_and_events_that_exist(announce_one: Callable[..., int]) -> None:
    position = announce_one()
    Relay().drain()
    with pytest.raises(ReplayRefused):
        replay([position], actor=ACTOR, reason="  ", at=AT)
    with pytest.raises(ReplayRefused):
        replay([], actor=ACTOR, reason="nothing", at=AT)
    with pytest.raises(NotFound, match=str(position + 1)):
        replay([position, position + 1], actor=ACTOR, reason="one too many", at=AT)
    assert not OutboxDelivery.objects.exists()


def test_events_are_sealed_into_the_audit_chain(queue_events: Callable[..., list[int]]) -> None:
    queue_events(7)
    assert seal_all(at=AT) == 7
    assert seal_all(at=AT) == 0
