from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry, AuditRetirement
from kernel.audit.sealing import seal_all
from kernel.audit.verification import Finding, verify_chain
from kernel.jobs.models import JobRun
from kernel.jobs.operations import run_job, run_now
from kernel.jobs.progress import JobCancelled
from kernel.outbox.models import OutboxEvent, OutboxPublication
from kernel.outbox.querysets import retired_count, retired_until
from kernel.pruning import operations
from kernel.pruning.operations import PRUNER_LOCK, AnotherPrunerIsActive, prune, rehearse
from kernel.pruning.registry import Prunable, Pruning, prunables
from kernel.pruning.tables import TableRows
from payments.models import (
    ReferenceConflict,
    StagingDuplicate,
    StagingProcessLog,
    StagingRejection,
    WebhookReceipt,
)
from tests.console.people import signed_in

AT = timezone.now()
STAFF = Actor.command("tests")
PAGE = "/admin/audit/auditretirement/"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LOCK_TIMEOUT_MS", 200)


def ago(days: float) -> datetime:
    return AT - timedelta(days=days)


def kind(name: str) -> Prunable:
    return next(prunable for prunable in prunables() if prunable.name == name)


def begun(at: datetime = AT) -> Pruning:
    return Pruning(uuid4(), STAFF, at)


def prune_kind(name: str) -> int:
    return prune(kind(name), begun(), pause_seconds=0).deleted


def in_small_chunks(name: str, rows: int) -> Prunable:
    whole = kind(name)
    return Prunable(
        whole.name, whole.label, whole.setting, TableRows("webhook_receipt", "received_at", chunk_rows=rows)
    )


def found(name: str) -> int:
    return {prunable.name: rows.count for prunable, rows in rehearse(at=AT)}[name]


def receipts(*days: float) -> None:
    WebhookReceipt.objects.bulk_create(
        WebhookReceipt(
            id=uuid4(), channel_slug="bank", body_digest="0", outcome="refused", status_code=400, received_at=ago(age)
        )
        for age in days
    )


def publish(count: int, *, days: float, sealed: bool = True, event_type: str = "thing.happened") -> list[int]:
    """Events of that age that Kafka has confirmed, under one seal."""
    events = OutboxEvent.objects.bulk_create(
        OutboxEvent(
            event_id=uuid4(),
            event_type=event_type,
            source="/tests",
            subject=f"thing/{number}",
            topic="things",
            key="A-1",
            body='{"n": 0}',
            occurred_at=ago(days),
        )
        for number in range(count)
    )
    positions = [event.position for event in events]
    OutboxPublication.objects.create(published_at=ago(days), topic="things", events=count, positions=positions)
    if sealed:
        seal_all(at=ago(days) + timedelta(seconds=5))
    return positions


def execute(statement: str, *parameters: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))


def tamper(statement: str, *parameters: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement, list(parameters))


def chain_findings() -> tuple[Finding, ...]:
    seal_all(at=AT)
    return verify_chain(AT + timedelta(days=1)).findings


def at_once(work: Callable[[], Any]) -> Callable[[], Any]:
    """Runs the work on another connection; the function that comes back waits for it and gives its outcome."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as failure:
            outcome.append(failure)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()

    def join() -> Any:
        thread.join(20)
        return outcome[0]

    return join


def test_receipts_older_than_their_limit_go_and_the_others_stay() -> None:
    receipts(89, 89.9, 90.1, 91, 400)

    assert found("webhook-receipts") == 3
    assert prune_kind("webhook-receipts") == 3
    assert found("webhook-receipts") == 0
    assert sorted(receipt.received_at for receipt in WebhookReceipt.objects.all()) == [ago(89.9), ago(89)]


def test_old_rows_go_in_chunks_the_oldest_first() -> None:
    receipts(*(100 + number for number in range(7)))
    reached: list[int] = []
    oldest_left: list[datetime | None] = []

    def after_each(deleted: int) -> None:
        reached.append(deleted)
        first = WebhookReceipt.objects.order_by("received_at").first()
        oldest_left.append(first.received_at if first else None)

    pruned = prune(in_small_chunks("webhook-receipts", 3), begun(), after_each=after_each, pause_seconds=0)

    assert (pruned.deleted, reached) == (7, [3, 6, 7])
    assert oldest_left == [ago(103), ago(100), None]


def test_a_cancelled_run_keeps_what_it_had_not_reached() -> None:
    receipts(*(100 + number for number in range(7)))

    def cancel(deleted: int) -> None:
        if deleted == 6:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        prune(in_small_chunks("webhook-receipts", 3), begun(), after_each=cancel, pause_seconds=0)
    assert [receipt.received_at for receipt in WebhookReceipt.objects.all()] == [ago(100)]


def test_a_rehearsal_counts_what_is_then_deleted_of_every_kind_and_changes_nothing() -> None:
    receipts(10, 100, 200)
    publish(3, days=400)
    publish(2, days=500)
    publish(2, days=10)
    JobRun.objects.create(name="old", status="succeeded", queued_at=ago(100), finished_at=ago(100), status_since=AT)
    batch = process_log(days=500)
    duplicate(batch)
    rejection(batch, status="dismissed", days=3000)
    rejection(None, status="dismissed", days=3000)

    rehearsed = run_now("rehearse_pruning", actor=STAFF)
    assert (WebhookReceipt.objects.count(), OutboxEvent.objects.count()) == (3, 7)
    done = run_now("prune_history", actor=STAFF)

    expected = {name: kind["would_delete"] for name, kind in rehearsed["kinds"].items()}
    assert {name: kind["deleted"] for name, kind in done["kinds"].items()} == expected
    assert {name: count for name, count in expected.items() if count} == {
        "job-runs": 1,
        "outbox-events": 5,
        "reviews-rejections": 1,
        "staging-batches": 1,
        "webhook-receipts": 2,
    }
    assert rehearsed["would_delete"] == done["deleted"] == 10


def process_log(*, days: float) -> StagingProcessLog:
    return StagingProcessLog.objects.create(
        id=uuid4(),
        batch_start_id=1,
        batch_end_id=2,
        total_records=1,
        processed_records=1,
        status="completed",
        started_at=ago(days),
        completed_at=ago(days),
    )


def duplicate(batch: StagingProcessLog) -> None:
    StagingDuplicate.objects.create(
        batch=batch,
        staging_id=1,
        reference_number="R-1",
        payment_id=uuid4(),
        payment_date=batch.started_at,
        detected_at=batch.started_at,
    )


def rejection(batch: StagingProcessLog | None, *, status: str, days: float, decided: float | None = None) -> int:
    return StagingRejection.objects.create(
        batch=batch,
        reasons=["amount-missing"],
        raw={},
        rejected_at=ago(days),
        status=status,
        status_since=ago(days if decided is None else decided),
        resolved_by="" if status == "open" else "ann",
        resolution_reason="" if status == "open" else "known",
    ).pk


def conflict(*, status: str, days: float, seen: float | None = None) -> int:
    return ReferenceConflict.objects.create(
        reference_number=f"R-{uuid4()}",
        payment_id=uuid4(),
        payment_date=ago(days),
        source="webhook",
        difference=[],
        received={},
        content_digest="0",
        detected_at=ago(days),
        last_seen_at=ago(days if seen is None else seen),
        status=status,
        status_since=ago(days),
        resolved_by="" if status == "open" else "ann",
        resolution_reason="" if status == "open" else "known",
    ).pk


def test_a_batch_takes_its_duplicates_with_it_and_no_others() -> None:
    old, young = process_log(days=401), process_log(days=399)
    for batch in (old, old, young):
        duplicate(batch)

    assert prune_kind("staging-batches") == 1
    assert list(StagingProcessLog.objects.all()) == [young]
    assert [entry.batch_id for entry in StagingDuplicate.objects.all()] == [young.pk]


def test_open_work_stays_however_old_and_a_decision_stays_from_its_day_on() -> None:
    kept_rejections = {
        rejection(None, status="open", days=9000),
        rejection(None, status="dismissed", days=9000, decided=100),
        rejection(process_log(days=10), status="dismissed", days=9000),
    }
    rejection(None, status="dismissed", days=9000)
    kept_conflicts = {conflict(status="open", days=9000), conflict(status="dismissed", days=9000, seen=5)}
    conflict(status="dismissed", days=9000)

    assert (prune_kind("reviews-rejections"), prune_kind("reviews-conflicts")) == (1, 1)
    assert set(StagingRejection.objects.values_list("pk", flat=True)) == kept_rejections
    assert set(ReferenceConflict.objects.values_list("pk", flat=True)) == kept_conflicts


def test_a_job_run_that_has_not_ended_stays() -> None:
    queued = JobRun.objects.create(name="waits", status="queued", queued_at=ago(500), status_since=ago(500))
    JobRun.objects.create(name="ran", status="failed", queued_at=ago(500), finished_at=ago(91), status_since=AT)

    assert prune_kind("job-runs") == 1
    assert list(JobRun.objects.all()) == [queued]


def test_published_events_of_old_seals_go_and_the_chain_still_verifies() -> None:
    publish(3, days=400)
    young = publish(2, days=300)

    assert prune_kind("outbox-events") == 3
    assert list(OutboxEvent.objects.order_by("position").values_list("position", flat=True)) == young
    retired = AuditRetirement.objects.get()
    assert (retired.entry_count, retired.counts, retired.last_recorded_at) == (3, {"thing.happened": 3}, ago(400))
    assert AuditEntry.objects.filter(action="seals.retired").count() == 1
    assert chain_findings() == ()


def test_retired_events_are_counted_by_their_type() -> None:
    publish(3, days=400, sealed=False)
    publish(2, days=390, event_type="thing.ended")
    publish(4, days=380, event_type="thing.ended")

    assert (retired_count("thing.ended"), retired_until("thing.ended")) == (0, None)
    assert prune_kind("outbox-events") == 9
    assert (retired_count("thing.happened"), retired_count("thing.ended")) == (3, 6)
    assert (retired_until("thing.happened"), retired_until("thing.ended")) == (ago(390), ago(380))


def test_a_publication_goes_only_after_its_events() -> None:
    publish(3, days=400)
    publish(1, days=300)

    assert (found("event-publications"), prune_kind("event-publications")) == (0, 0)
    assert prune_kind("outbox-events") == 3
    assert (found("event-publications"), prune_kind("event-publications")) == (1, 1)
    assert OutboxPublication.objects.get().events == 1


def test_rows_that_are_in_use_are_left_whole_for_the_next_run() -> None:
    receipts(100, 101)
    publish(2, days=400)
    with transaction.atomic():
        list(WebhookReceipt.objects.select_for_update())
        list(OutboxEvent.objects.select_for_update())
        results = [
            at_once(partial(prune, kind(name), begun(), pause_seconds=0))()
            for name in ("webhook-receipts", "outbox-events")
        ]
    assert [(pruned.deleted, pruned.is_in_use) for pruned in results] == [(0, True), (0, True)]
    assert (WebhookReceipt.objects.count(), OutboxEvent.objects.count(), AuditRetirement.objects.count()) == (2, 2, 0)
    assert (prune_kind("webhook-receipts"), prune_kind("outbox-events")) == (2, 2)


def test_a_second_pruner_is_refused() -> None:
    receipts(100)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [PRUNER_LOCK])
        refusal = at_once(lambda: prune_kind("webhook-receipts"))()
    assert isinstance(refusal, AnotherPrunerIsActive)
    assert WebhookReceipt.objects.count() == 1


def test_the_command_says_what_would_go_and_what_went(capsys: pytest.CaptureFixture[str]) -> None:
    receipts(10, 100, 200)

    call_command("prune_history", "--rehearse")
    rehearsal = capsys.readouterr().out
    assert f"2  {'Receipts of webhooks':<40} older than 90 days, the oldest of {ago(200):%Y-%m-%d}" in rehearsal
    assert "2  in all, nothing was changed" in rehearsal
    assert WebhookReceipt.objects.count() == 3

    call_command("prune_history")
    assert "2  in all" in capsys.readouterr().out
    assert WebhookReceipt.objects.count() == 1


def test_every_kind_finds_its_rows_and_deletes_none_of_an_empty_database() -> None:
    assert {prunable.name: found.count for prunable, found in rehearse(at=datetime(2026, 1, 1, tzinfo=UTC))} == {
        prunable.name: prune_kind(prunable.name) for prunable in prunables()
    }
    assert len(prunables()) == 12


def test_the_page_lists_what_was_retired_and_its_buttons_ask_for_a_run() -> None:
    publish(3, days=400)
    prune_kind("outbox-events")
    publish(2, days=399)
    JobRun.objects.all().delete()
    operator = signed_in("operator")
    retirement = AuditRetirement.objects.get()
    assert "rehearse/" in operator.get(PAGE).content.decode()
    detail = operator.get(f"{PAGE}{retirement.pk}/change/").content.decode()
    assert bytes(retirement.content_digest).hex() in detail

    assert operator.get(f"{PAGE}prune_now/").status_code == 200
    assert JobRun.objects.count() == 0
    for action, job, left in (("rehearse", "rehearse_pruning", 2), ("prune_now", "prune_history", 0)):
        answer = operator.post(f"{PAGE}{action}/", {"confirmed": "yes"})
        run = JobRun.objects.get(name=job)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/jobs/jobrun/{run.pk}/change/")
        assert run_job(run.pk) == "succeeded"
        assert OutboxEvent.objects.count() == left


def test_who_may_not_ask_for_jobs_cannot_prune() -> None:
    receipts(100)
    auditor = signed_in("auditor")
    assert "prune_now/" not in auditor.get(PAGE).content.decode()
    assert auditor.post(f"{PAGE}prune_now/", {"confirmed": "yes"}).status_code == 403
    assert (JobRun.objects.count(), WebhookReceipt.objects.count()) == (0, 1)
