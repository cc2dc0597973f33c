from __future__ import annotations

from collections.abc import Callable

import pytest

from kernel.outbox.apps import SEALED
from kernel.outbox.models import OutboxDelivery, OutboxEvent
from kernel.outbox.relay import Relay
from kernel.pruning.operations import prune
from kernel.pruning.registry import Prunable
from kernel.pruning.sealed import SealedSourceRows
from tests.kernel.test_pruning import at_once, begun, publish

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_are_recorded_and_relayed_while_old_ones_are_pruned(queue_events: Callable[..., list[int]]) -> None:
    for days in range(400, 420):
        publish(10, days=days)
    small = Prunable("outbox-events", "", "EVENT_RETENTION_DAYS", SealedSourceRows(SEALED, chunk_rows=10))
    new = queue_events(50)
    relayed = at_once(lambda: Relay().drain())
    pruned = prune(small, begun(), pause_seconds=0)

    assert (relayed(), pruned.deleted) == (50, 200)
    assert list(OutboxEvent.objects.order_by("position").values_list("position", flat=True)) == new
    assert OutboxDelivery.objects.count() == 0
