"""What the queue says about itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from kernel.outbox.models import OutboxDelivery, OutboxEvent, OutboxPublication
from kernel.outbox.querysets import Backlog

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.django_db
def test_the_backlog_counts_what_waits_what_backs_off_and_says_the_last_error(
    queue_events: Callable[..., list[int]],
) -> None:
    positions = queue_events(5)
    waiting = OutboxDelivery.objects
    waiting.update(queued_at=AT - timedelta(seconds=90))
    waiting.filter(position=positions[0]).update(next_attempt_at=AT + timedelta(seconds=5), last_error="too large")
    waiting.filter(position=positions[1]).update(next_attempt_at=AT - timedelta(seconds=5), last_error="older")
    assert waiting.backlog(AT) == Backlog(waiting=5, oldest_age_seconds=90.0, backing_off=1, last_error="too large")


@pytest.mark.django_db
def test_an_empty_queue_has_no_age_and_no_error() -> None:
    assert OutboxDelivery.objects.backlog(AT) == Backlog(0, 0.0, 0, "")


@pytest.mark.django_db
def test_each_event_tells_whether_it_waits_or_when_it_was_delivered(queue_events: Callable[..., list[int]]) -> None:
    waiting, delivered = queue_events(2)
    OutboxDelivery.objects.filter(position=delivered).delete()
    for hours in (2, 1):
        OutboxPublication.objects.create(
            published_at=AT - timedelta(hours=hours), topic="t", events=1, positions=[delivered]
        )
    events = OutboxEvent.objects.with_delivery()
    shown: dict[int, Any] = {event.position: event for event in events}
    assert shown[delivered].published_at == AT - timedelta(hours=1)
    assert shown[waiting].queued_at is not None
    assert [event.position for event in events.waiting()] == [waiting]
    assert [event.position for event in events.delivered()] == [delivered]
    assert list(events.failed()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["update outbox_event set body = '{}'", "delete from outbox_event"])
def test_the_database_refuses_to_change_an_event(change: str, queue_events: Callable[..., list[int]]) -> None:
    queue_events(1)
    with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert OutboxEvent.objects.get().body == '{"n": 0}'
