"""Many at once with the same payment: one record, one event, and every sender is told the same id."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from kernel.outbox.models import OutboxEvent
from payments.models import Payment, PaymentReference, ReferenceConflict, WebhookReceipt
from tests.payments.webhooks import body_of, make_channel, post

SENDERS = 64
# CONCURRENCY_ROUNDS=100 is the whole proof; the suite runs a fifth of it.
ROUNDS = int(os.environ.get("CONCURRENCY_ROUNDS", "20"))

pytestmark = pytest.mark.django_db(transaction=True)


class Crowd:
    """Threads with a connection each, which all start at the same moment."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(SENDERS)
        self.barrier = threading.Barrier(SENDERS)

    def post(self, bodies: list[dict[str, object]], webhook_ids: list[str]) -> list[tuple[int, dict[str, str]]]:
        def send(place: int) -> tuple[int, dict[str, str]]:
            connection.ensure_connection()
            self.barrier.wait()
            response = post(bodies[place % len(bodies)], webhook_id=webhook_ids[place % len(webhook_ids)])
            return response.status_code, json.loads(response.content)

        return list(self.pool.map(send, range(SENDERS)))

    def close(self) -> None:
        def hang_up(_: int) -> None:
            self.barrier.wait()
            connection.close()

        list(self.pool.map(hang_up, range(SENDERS)))
        self.pool.shutdown()


@pytest.fixture
def crowd() -> Crowd:  # type: ignore[misc]
    people = Crowd()
    yield people
    people.close()


@pytest.fixture(autouse=True)
def _without_persistent_limits() -> None:
    make_channel(rate_limit_per_minute=10_000_000)


@pytest.mark.parametrize("memory", [True, False])
def test_64_senders_of_one_reference_make_one_payment_and_hear_one_id(
    crowd: Crowd, settings: Settings, memory: bool
) -> None:
    settings.ENABLE_MEMORY_CACHE = memory
    for number in range(ROUNDS):
        answers = crowd.post([body_of(reference_number=f"REF-{number}")], [f"msg_{number}_{n}" for n in range(SENDERS)])
        assert Counter(status for status, _ in answers) == {201: 1, 200: SENDERS - 1}, f"round {number}"
        assert len({answer["payment_id"] for _, answer in answers}) == 1
        assert Counter(answer["status"] for _, answer in answers) == {"created": 1, "duplicate": SENDERS - 1}
    assert Payment.objects.count() == PaymentReference.objects.count() == OutboxEvent.objects.count() == ROUNDS
    assert WebhookReceipt.objects.filter(outcome="created").count() == ROUNDS
    assert WebhookReceipt.objects.filter(outcome="duplicate").count() == ROUNDS * (SENDERS - 1)
    assert ReferenceConflict.objects.count() == 0


def test_64_copies_of_one_message_make_one_payment_and_one_receipt_with_its_key(crowd: Crowd) -> None:
    for number in range(3):
        answers = crowd.post([body_of(reference_number=f"REF-{number}")], [f"msg_{number}"])
        assert Counter(status for status, _ in answers) == {201: 1, 200: SENDERS - 1}
        assert len({answer["payment_id"] for _, answer in answers}) == 1
    assert Payment.objects.count() == OutboxEvent.objects.count() == 3
    assert WebhookReceipt.objects.filter(receipt_key__isnull=False).count() == 3


def test_64_bodies_under_one_webhook_id_record_one_of_them_only(crowd: Crowd) -> None:
    answers = crowd.post([body_of(reference_number=f"REF-{n}") for n in range(SENDERS)], ["msg_1"])
    assert Counter(status for status, _ in answers) == {201: 1, 409: SENDERS - 1}
    assert {answer["code"] for status, answer in answers if status == 409} == {"webhook-id-reused"}
    assert Payment.objects.count() == PaymentReference.objects.count() == OutboxEvent.objects.count() == 1


def test_two_amounts_for_one_reference_at_once_leave_one_payment_and_one_conflict(crowd: Crowd) -> None:
    bodies = [body_of(amount=10), body_of(amount=20)]
    answers = crowd.post(bodies, [f"msg_{n}" for n in range(SENDERS)])
    half = SENDERS // 2
    assert Counter(status for status, _ in answers) == {201: 1, 200: half - 1, 409: half}
    assert len({answer["payment_id"] for _, answer in answers}) == 1
    assert Payment.objects.count() == OutboxEvent.objects.count() == 1
    conflict = ReferenceConflict.objects.get()
    assert conflict.times_seen == half
