from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from kernel.audit.sealing import seal_all
from kernel.invariants.operations import Outcome, verify
from kernel.outbox.models import OutboxEvent, OutboxPublication
from payments.ingestion import Pace, ingest
from payments.models import Payment, StagingDuplicate, StagingProcessLog, WebhookReceipt
from payments.states import SignatureScheme
from tests.kernel.test_pruning import prune_kind
from tests.payments.test_invariants import _staging as _staging  # the fixture
from tests.payments.test_invariants import execute, send, stage
from tests.payments.webhooks import ADDRESS, PLAIN_SECRET, body_of, make_channel, post, raw, signed

pytestmark = pytest.mark.django_db(transaction=True)
BODY = raw(body_of())
DAY = 86_400


def back_date_receipts(days: int) -> None:
    execute("update webhook_receipt set received_at = received_at - make_interval(days => %s)", days)


def retire_events(*, days: int) -> None:
    """Makes every payment and event older by so many days, delivers and seals the events, and prunes."""
    execute("update outbox_event set occurred_at = occurred_at - make_interval(days => %s)", days)
    execute("update payments set created_at = created_at - make_interval(days => %s)", days)
    execute("delete from outbox_delivery")
    positions = list(OutboxEvent.objects.values_list("position", flat=True))
    published_at = timezone.now() - timedelta(days=days)
    OutboxPublication.objects.create(published_at=published_at, topic="t", events=len(positions), positions=positions)
    seal_all(at=timezone.now() - timedelta(days=days) + timedelta(minutes=1))
    assert prune_kind("outbox-events") == len(positions)


def look(*names: str) -> list[Outcome]:
    return verify(only=names, at=timezone.now())


def sentences(outcome: Outcome) -> list[str]:
    return [breach.sentence for breach in outcome.look.breaches]


def test_a_request_whose_receipt_was_pruned_is_refused_for_its_age() -> None:
    make_channel()
    assert post(BODY).status_code == 201
    back_date_receipts(91)
    assert prune_kind("webhook-receipts") == 1

    again = post(BODY, headers=signed(BODY, at=time.time() - 91 * DAY))

    assert (again.status_code, json.loads(again.content)["code"]) == (401, "timestamp-outside-tolerance")
    assert Payment.objects.count() == OutboxEvent.objects.count() == 1


def test_a_request_without_a_time_is_a_duplicate_also_when_its_receipt_was_pruned() -> None:
    make_channel("plain", scheme=SignatureScheme.PLAIN_HMAC)
    headers = {"X-Signature": "sha256=" + hmac.new(PLAIN_SECRET.encode(), BODY, hashlib.sha256).hexdigest()}
    first = post(BODY, path=f"{ADDRESS}/plain", headers=headers)
    back_date_receipts(91)
    assert prune_kind("webhook-receipts") == 1

    again = post(BODY, path=f"{ADDRESS}/plain", headers=headers)

    assert (first.status_code, again.status_code) == (201, 200)
    assert json.loads(again.content)["payment_id"] == json.loads(first.content)["payment_id"]
    assert Payment.objects.count() == OutboxEvent.objects.count() == 1


def test_a_receipt_young_enough_to_be_needed_stays() -> None:
    make_channel()
    post(BODY)
    back_date_receipts(89)

    assert prune_kind("webhook-receipts") == 0
    assert WebhookReceipt.objects.count() == 1


def test_payments_and_events_still_match_when_old_events_were_retired() -> None:
    make_channel()
    assert [send(f"REF-{number}") for number in range(3)] == [201, 201, 201]
    retire_events(days=400)
    assert send("REF-NEW") == 201
    seal_all(at=timezone.now())

    outcomes = look("payments-match-events", "events-published-or-queued", "audit-chain-unbroken", "queue-is-sound")

    assert [sentences(outcome) for outcome in outcomes] == [[], [], [], []]
    assert (Payment.objects.count(), OutboxEvent.objects.count()) == (4, 1)


def test_a_lost_event_or_payment_is_found_after_events_were_retired() -> None:
    make_channel()
    assert [send(f"REF-{number}") for number in range(3)] == [201, 201, 201]
    retire_events(days=400)
    assert send("REF-NEW") == 201

    execute("delete from outbox_event")
    (outcome,) = look("payments-match-events")
    newest = Payment.objects.get(reference_number="REF-NEW")
    assert sorted(sentences(outcome)) == [
        "4 payments are attached or archived; 3 events are there or retired.",
        f"Payment {newest.pk} has no event.",
    ]

    execute("delete from payments where reference_number in ('REF-0', 'REF-NEW')")
    (outcome,) = look("payments-match-events")
    assert sentences(outcome) == ["2 payments are attached or archived; 3 events are there or retired."]


def test_staged_rows_still_add_up_when_their_batch_was_pruned() -> None:
    for reference in ("R-1", "R-1", "R-2"):
        stage(reference)
    ingest(Pace(batch_size=10, workers=1, until_empty=True, max_retries=0))
    assert (StagingProcessLog.objects.count(), StagingDuplicate.objects.count()) == (1, 1)
    for table, columns in {
        "staging_process_log": ("started_at", "completed_at"),
        "staging_duplicate": ("detected_at",),
        "payments": ("created_at",),
        "payment_staging": ("processed_at",),
    }.items():
        execute(f"update {table} set " + ", ".join(f"{column} = {column} - interval '500 days'" for column in columns))
    stage("R-3")
    ingest(Pace(batch_size=10, workers=1, until_empty=True, max_retries=0))

    assert prune_kind("staging-batches") == 1
    assert (StagingProcessLog.objects.count(), StagingDuplicate.objects.count()) == (1, 0)
    assert [sentences(outcome) for outcome in look("staging-batches-add-up", "staged-rows-accounted")] == [[], []]
