from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from kernel.audit.models import AuditRetirement
from kernel.audit.sealing import seal_all
from kernel.audit.verification import Fault, Finding
from kernel.errors import NotFound
from kernel.outbox import operations as outbox
from kernel.outbox.models import OutboxDelivery, OutboxEvent, OutboxPublication
from kernel.pruning import operations
from kernel.pruning.operations import prune
from kernel.transactions import unit_of_work
from tests.kernel.test_pruning import (
    STAFF,
    ago,
    at_once,
    begun,
    chain_findings,
    execute,
    found,
    kind,
    prune_kind,
    publish,
    tamper,
)
from tests.kernel.test_pruning import _short_waits as _short_waits  # the fixture

AT = timezone.now()
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("reason", ["queued", "unpublished", "young", "unsealed"])
def test_one_event_that_must_stay_keeps_its_whole_seal(reason: str) -> None:
    positions = publish(3, days=400, sealed=False)
    if reason == "queued":
        OutboxDelivery.objects.create(position=positions[1], key="A-1")
    if reason == "unpublished":
        OutboxPublication.objects.all().delete()
    if reason == "young":
        publish(1, days=364, sealed=False)
    if reason != "unsealed":
        seal_all(at=ago(399))

    assert found("outbox-events") == 0
    assert prune_kind("outbox-events") == 0
    assert OutboxEvent.objects.count() == (4 if reason == "young" else 3)
    assert AuditRetirement.objects.count() == 0


def test_an_altered_event_is_not_pruned_away() -> None:
    first, *_ = publish(3, days=400)
    publish(2, days=399)
    tamper("update outbox_event set body = '{}' where position = %s", first)

    assert (found("outbox-events"), prune_kind("outbox-events")) == (2, 2)
    assert OutboxEvent.objects.count() == 3
    assert chain_findings() == (Finding(Fault.ALTERED, "outbox_event", first),)


def test_tampering_is_still_found_after_pruning() -> None:
    publish(3, days=400)
    first, second = publish(2, days=300)
    prune_kind("outbox-events")
    assert chain_findings() == ()

    tamper("update outbox_event set body = '{}' where position = %s", first)
    tamper("delete from outbox_event where position = %s", second)
    assert chain_findings() == (
        Finding(Fault.ALTERED, "outbox_event", first),
        Finding(Fault.MISSING, "outbox_event", second),
    )


def test_a_retirement_that_is_taken_away_or_altered_is_found() -> None:
    positions = publish(2, days=400)
    prune_kind("outbox-events")
    assert chain_findings() == ()
    retirement = AuditRetirement.objects.get()

    tamper("update audit_retirement set content_digest = 'x'")
    assert set(chain_findings()) == {
        Finding(Fault.ALTERED, "audit_retirement", retirement.pk),
        Finding(Fault.BROKEN, "outbox_event", retirement.seal_sequence),
    }
    tamper("delete from audit_retirement")
    assert set(chain_findings()) == {
        Finding(Fault.MISSING, "audit_retirement", retirement.pk),
        *(Finding(Fault.MISSING, "outbox_event", position) for position in positions),
    }


def test_a_row_that_is_put_where_a_retired_one_was_is_found() -> None:
    position, _ = publish(2, days=400)
    prune_kind("outbox-events")
    execute(
        "insert into outbox_event (position, event_id, event_type, source, subject, topic, key, body, occurred_at)"
        " values (%s, %s, 'thing.happened', '/tests', 'thing/0', 'things', 'A-1', '{}', %s)",
        position,
        uuid4(),
        ago(400),
    )

    assert chain_findings() == (Finding(Fault.RETURNED, "outbox_event", position),)


def test_events_cannot_be_deleted_by_hand() -> None:
    positions = publish(3, days=400)

    with pytest.raises(DatabaseError, match="only ever added"):
        execute("delete from outbox_event")
    with transaction.atomic():
        execute("select set_config('paymentsite.retirement', %s, true)", str(uuid4()))
        with pytest.raises(DatabaseError, match="were recorded as retired"):
            execute("delete from outbox_event where position = %s", positions[0])
    with pytest.raises(DatabaseError, match="only ever added"):
        execute("truncate outbox_event")
    assert OutboxEvent.objects.count() == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("a part", "2 events would go, 3 were recorded"), ("too young", "is too young"), ("queued", "is queued")],
)
def test_the_database_itself_lets_only_whole_old_delivered_seals_go(wrong: str, message: str) -> None:
    positions = publish(3, days=20 if wrong == "too young" else 400)
    if wrong == "queued":
        OutboxDelivery.objects.create(position=positions[1], key="A-1")
    operation = str(uuid4())

    with transaction.atomic():
        execute(
            "insert into audit_retirement (operation, seal_sequence, source, retired_at, first_recorded_at,"
            " last_recorded_at, entry_count, content_digest, counts, job_run_id)"
            " select %s, sequence, source, now(), now() - interval '40 days', now() - interval '40 days', entry_count,"
            " content_digest, '{}', gen_random_uuid() from audit_seal where source = 'outbox_event'",
            operation,
        )
        execute("select set_config('paymentsite.retirement', %s, true)", operation)
        with pytest.raises(DatabaseError, match=message):
            execute("delete from outbox_event where position <> %s", positions[0] if wrong == "a part" else 0)
    assert OutboxEvent.objects.count() == 3


def wait_until_somebody_waits() -> None:
    waited = threading.Event()
    for _ in range(400):
        with connection.cursor() as cursor:
            cursor.execute("select exists (select from pg_locks where not granted)")
            if cursor.fetchone()[0]:
                return
        waited.wait(0.02)
    raise AssertionError("Nobody waits for a lock.")


def test_an_event_that_is_queued_again_meanwhile_is_not_retired() -> None:
    positions = publish(3, days=400)
    queued, may_commit = threading.Event(), threading.Event()

    @unit_of_work
    def queue_again() -> None:
        list(OutboxEvent.objects.filter(position=positions[1]).select_for_update(no_key=True))
        OutboxDelivery.objects.create(position=positions[1], key="A-1")
        queued.set()
        assert may_commit.wait(10)

    replayed = at_once(queue_again)
    assert queued.wait(10)
    operations.LOCK_TIMEOUT_MS = 8_000
    pruned = at_once(lambda: prune(kind("outbox-events"), begun(), pause_seconds=0))
    wait_until_somebody_waits()
    may_commit.set()

    assert replayed() is None
    assert (pruned().deleted, pruned().is_in_use) == (0, True)
    assert (OutboxEvent.objects.count(), AuditRetirement.objects.count()) == (3, 0)


def test_a_retired_event_cannot_be_sent_again() -> None:
    positions = publish(2, days=400)
    prune_kind("outbox-events")

    with pytest.raises(NotFound):
        outbox.replay(positions, actor=STAFF, reason="lost", at=AT)
    assert OutboxDelivery.objects.count() == 0
