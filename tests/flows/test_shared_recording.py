"""Webhooks that wait at the same moment share one statement and one commit, and each gets its own answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db import connection

from payments.models import Payment, ReferenceConflict, WebhookReceipt
from payments.operations import receiving, recording
from tests.payments.staged import count
from tests.payments.webhooks import ADDRESS, ask, body_of, make_channel, post, raw, signed

pytestmark = pytest.mark.django_db(transaction=True)

CREATED, DUPLICATE = "created", "duplicate"


@contextmanager
def shut_gate() -> Generator[None]:
    """Holds the references locked, so that whoever records waits until the end of the block."""
    settings = connection.settings_dict
    with psycopg.connect(
        dbname=settings["NAME"],
        user=settings["USER"],
        host=settings["HOST"],
        port=settings["PORT"] or None,
        password=settings["PASSWORD"] or None,
    ) as other:
        other.execute("lock table payment_references in exclusive mode")
        yield


@dataclass
class Answer:
    status: int
    request_id: str
    content: dict[str, Any]


def answered(request: dict[str, Any]) -> Answer:
    body = raw(body_of(**request["body"]))
    try:
        status, headers, answer = ask(ADDRESS, body, headers=signed(body, webhook_id=request["id"]))
        return Answer(status, headers["X-Request-ID"], json.loads(answer))
    finally:
        connection.close()


def wait_until(is_true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if is_true():
            return
        pause.wait(0.005)
    raise AssertionError("It did not come about within ten seconds.")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many notices each statement that claims had; patience is long, so that a test decides who waits together."""
    sizes: list[int] = []
    claim = recording._claim

    def counted(incoming: Any) -> list[bool]:
        sizes.append(len(incoming))
        return claim(incoming)

    monkeypatch.setattr(recording, "_claim", counted)
    monkeypatch.setattr(receiving._claims, "_patience_seconds", 30)
    return sizes


def post_together(requests: list[dict[str, Any]]) -> list[Answer]:
    """The answers to requests that all wait behind one that was first; its own answer is not among them."""
    make_channel()
    post(body_of(reference_number="WARM"), webhook_id="warm")
    with ThreadPoolExecutor(len(requests) + 1) as pool:
        with shut_gate():
            first = pool.submit(answered, {"id": "first", "body": {"reference_number": "FIRST"}})
            wait_until(lambda: receiving._claims._under_way == 1)
            futures: list[Future[Answer]] = []
            for place, request in enumerate(requests):
                futures.append(pool.submit(answered, request))
                wait_until(lambda place=place: len(receiving._claims._waiting) == place + 1)  # type: ignore[misc]
        assert first.result(30).status == 201
        return [future.result(30) for future in futures]


def test_those_who_wait_share_one_statement_and_each_gets_its_own_payment(calls: list[int]) -> None:
    requests = [
        {"id": f"m{n}", "body": {"reference_number": f"R{n}", "amount": n + 0.25, "metadata": {"n": n, "x": 'é"\\'}}}
        for n in range(1, 11)
    ]

    answers = post_together(requests)

    assert calls == [1, 1, 10]
    assert [answer.status for answer in answers] == [201] * 10
    recorded = {payment.reference_number: payment for payment in Payment.objects.all()}
    for n, answer in enumerate(answers, start=1):
        payment = recorded[f"R{n}"]
        assert answer.content == {"status": CREATED, "payment_id": str(payment.id)}
        assert (float(payment.amount), payment.metadata) == (n + 0.25, {"n": n, "x": 'é"\\'})
        receipt = WebhookReceipt.objects.get(receipt_key=f"m{n}")
        assert (receipt.payment_id, receipt.id, receipt.request_id) == (
            payment.id,
            payment.source_batch_id,
            answer.request_id,
        )
    assert count("payments") == count("payment_references") == count("outbox_event") == count("webhook_receipt") == 12


def test_a_reference_that_comes_twice_in_one_statement_is_recorded_once(calls: list[int]) -> None:
    same, other = {"reference_number": "R"}, {"reference_number": "R", "amount": 999}

    answers = post_together(
        [{"id": "a", "body": same}, {"id": "b", "body": same}, {"id": "c", "body": other}, {"id": "a", "body": same}]
    )

    assert calls == [1, 1, 4]
    assert [answer.status for answer in answers] == [201, 200, 409, 200]
    ids = {answer.content["payment_id"] for answer in answers}
    assert ids == {str(Payment.objects.get(reference_number="R").id)}
    assert ReferenceConflict.objects.get().reference_number == "R"
    assert count("payments") == 3


def test_a_webhook_id_that_was_used_for_two_bodies_harms_no_neighbour(calls: list[int]) -> None:
    requests = [{"id": f"m{n}", "body": {"reference_number": f"R{n}"}} for n in range(4)]
    # The same id as the first of them with another reference: the database refuses the statement as a whole.
    requests.append({"id": "m0", "body": {"reference_number": "R-OTHER"}})

    answers = post_together(requests)

    assert calls[:3] == [1, 1, 5]
    assert calls[3:].count(1) == len(calls) - 3
    statuses = [answer.status for answer in answers]
    assert statuses[1:4] == [201, 201, 201]
    assert sorted([statuses[0], statuses[4]]) == [201, 409]
    refused = answers[statuses.index(409)].content
    assert refused["code"] == "webhook-id-reused"
    assert count("payments") == count("outbox_event") == 2 + 4


def test_a_content_that_the_database_refuses_harms_no_neighbour(
    calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("alter table payment_references add constraint t_refuse check (reference_number <> 'R2')")
    try:
        answers = post_together([{"id": f"m{n}", "body": {"reference_number": f"R{n}"}} for n in range(1, 4)])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table payment_references drop constraint t_refuse")

    assert [answer.status for answer in answers] == [201, 500, 201]
    assert set(Payment.objects.values_list("reference_number", flat=True)) == {"WARM", "FIRST", "R1", "R3"}
