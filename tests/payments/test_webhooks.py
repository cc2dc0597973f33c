"""The endpoint: its answers, its refusals in their order, and that a refusal leaves nothing but a receipt."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from kernel.outbox.models import OutboxEvent
from payments.models import Payment, PaymentReference, ReferenceConflict, WebhookReceipt
from payments.operations import receipts
from payments.states import SignatureScheme
from tests.payments.webhooks import (
    ADDRESS,
    KEY,
    PLAIN_SECRET,
    body_of,
    make_channel,
    post,
    raw,
    signature,
    signed,
)

pytestmark = pytest.mark.django_db(transaction=True)


def counts() -> tuple[int, int, int, int]:
    return (
        Payment.objects.count(),
        PaymentReference.objects.count(),
        OutboxEvent.objects.count(),
        ReferenceConflict.objects.count(),
    )


def assert_refused(response: HttpResponse, status: int, code: str, *, channel: str = "generic") -> dict[str, Any]:
    """The exact status and code, a whole problem, nothing recorded, and one receipt that uses up no key."""
    problem: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, problem["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "next_step", "request_id"} <= problem.keys()
    assert counts() == (0, 0, 0, 0)
    receipt = WebhookReceipt.objects.get()
    assert (receipt.channel_slug, receipt.receipt_key, receipt.outcome) == (channel, None, "refused")
    assert (receipt.status_code, receipt.problem_code, receipt.payment_id) == (status, code, None)
    return problem


def test_a_new_payment_is_created_with_its_reference_event_and_receipt() -> None:
    make_channel()
    response = post()
    answer = json.loads(response.content)
    assert (response.status_code, answer["status"], set(answer)) == (201, "created", {"status", "payment_id"})
    assert response["Content-Type"] == "application/json"
    payment = Payment.objects.get()
    assert str(payment.id) == answer["payment_id"]
    assert (payment.reference_number, payment.amount, payment.currency) == ("REF-1", Decimal("125.50"), "CAD")
    assert (payment.source, payment.payment_channel) == ("webhook", "generic")
    assert counts() == (1, 1, 1, 0)
    receipt = WebhookReceipt.objects.get()
    assert (receipt.outcome, receipt.status_code, receipt.receipt_key) == ("created", 201, "msg_1")
    assert receipt.payment_id == payment.id == uuid.UUID(answer["payment_id"])
    assert receipt.body_digest == hashlib.sha256(raw(body_of())).hexdigest()
    assert receipt.duration_ms is not None
    assert receipt.request_id == response["X-Request-ID"]


def test_an_exact_repeat_is_a_duplicate_with_the_same_id_and_its_receipt_takes_no_key() -> None:
    make_channel()
    first, second = post(), post()
    assert (first.status_code, second.status_code) == (201, 200)
    assert json.loads(second.content) == {"status": "duplicate", "payment_id": json.loads(first.content)["payment_id"]}
    assert counts() == (1, 1, 1, 0)
    outcomes = WebhookReceipt.objects.order_by("received_at").values_list("outcome", "receipt_key", "status_code")
    assert list(outcomes) == [("created", "msg_1", 201), ("duplicate", None, 200)]


def test_the_same_payment_under_a_new_webhook_id_is_a_duplicate_whose_receipt_keeps_that_id() -> None:
    make_channel()
    first, second = post(), post(webhook_id="msg_2")
    assert second.status_code == 200
    assert json.loads(second.content)["payment_id"] == json.loads(first.content)["payment_id"]
    keys = WebhookReceipt.objects.order_by("received_at").values_list("receipt_key", flat=True)
    assert list(keys) == ["msg_1", "msg_2"]


def test_another_amount_under_a_known_reference_is_a_conflict_with_the_difference() -> None:
    make_channel()
    first = post()
    response = post(body_of(amount=130), webhook_id="msg_2")
    problem = json.loads(response.content)
    assert (response.status_code, problem["code"]) == (409, "reference-conflict")
    assert problem["payment_id"] == json.loads(first.content)["payment_id"]
    assert problem["difference"] == [{"field": "amount", "recorded": "125.50", "received": "130.00"}]
    assert counts() == (1, 1, 1, 1)
    receipt = WebhookReceipt.objects.get(outcome="conflict")
    assert (receipt.status_code, receipt.problem_code, receipt.receipt_key) == (409, "reference-conflict", "msg_2")


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("body", [body_of(reference_number="REF-9"), body_of(amount=130)])
def test_a_webhook_id_with_another_body_is_refused_and_records_nothing(
    settings: Settings, memory: bool, body: dict[str, Any]
) -> None:
    settings.ENABLE_MEMORY_CACHE = memory
    make_channel()
    post()
    response = post(body)
    assert (response.status_code, json.loads(response.content)["code"]) == (409, "webhook-id-reused")
    assert counts() == (1, 1, 1, 0)
    refused = WebhookReceipt.objects.get(outcome="refused")
    assert (refused.receipt_key, refused.problem_code) == (None, "webhook-id-reused")


@pytest.mark.parametrize("memory", [True, False])
def test_a_webhook_id_with_another_body_is_refused_even_when_that_body_repeats_a_payment(
    settings: Settings, memory: bool
) -> None:
    settings.ENABLE_MEMORY_CACHE = memory
    make_channel()
    post()
    post(body_of(reference_number="REF-2"), webhook_id="msg_2")
    response = post(body_of(reference_number="REF-2"), webhook_id="msg_1")
    assert (response.status_code, json.loads(response.content)["code"]) == (409, "webhook-id-reused")
    assert counts() == (2, 2, 2, 0)


def test_a_refused_body_does_not_use_up_its_webhook_id() -> None:
    make_channel()
    assert post(body_of(amount=-1)).status_code == 422
    assert post(body_of()).status_code == 201


def test_the_same_webhook_id_on_two_channels_is_two_messages() -> None:
    make_channel()
    make_channel("north")
    assert post().status_code == 201
    other = post(body_of(reference_number="REF-2"), path=f"{ADDRESS}/north")
    assert other.status_code == 201
    assert Payment.objects.get(reference_number="REF-2").payment_channel == "north"


def test_the_channel_address_of_generic_is_the_generic_webhook() -> None:
    make_channel()
    assert post().status_code == 201
    assert post(path=f"{ADDRESS}/generic").status_code == 200


def test_other_methods_are_refused_and_leave_no_receipt() -> None:
    make_channel()
    for method in ("get", "put", "patch", "delete", "head", "options"):
        response = getattr(Client(), method)(ADDRESS)
        assert (response.status_code, response["Allow"]) == (405, "POST")
    assert (counts(), WebhookReceipt.objects.count()) == ((0, 0, 0, 0), 0)


def test_an_unknown_channel_is_refused() -> None:
    make_channel()
    assert_refused(post(path=f"{ADDRESS}/nobody"), 404, "channel-unknown", channel="nobody")


def test_a_channel_that_is_switched_off_is_as_unknown() -> None:
    make_channel("off", is_active=False)
    assert_refused(post(path=f"{ADDRESS}/off"), 404, "channel-unknown", channel="off")


def test_a_body_above_the_limit_is_refused_by_its_announced_length(settings: Settings) -> None:
    settings.WEBHOOK_MAX_BODY_BYTES = 1024
    make_channel()
    assert_refused(post(body_of(metadata={"filler": "x" * 1024})), 413, "body-too-large")


def test_a_body_of_exactly_the_limit_is_read(settings: Settings) -> None:
    make_channel()
    body = raw(body_of())
    settings.WEBHOOK_MAX_BODY_BYTES = len(body)
    assert post(body).status_code == 201


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["203.0.113.0/24"], "203.0.113.7", 201),
        (["203.0.113.0/24"], "203.0.114.7", 403),
        (["2001:db8::/32"], "2001:db8:1::1", 201),
        (["2001:db8::/32"], "203.0.113.7", 403),
        (["10.0.0.1/32", "2001:db8::/32"], "10.0.0.1", 201),
        (["203.0.113.0/24"], "::ffff:203.0.113.7", 201),
        (["203.0.113.0/24"], "", 403),
    ],
)
def test_the_allow_list_holds_for_both_families(networks: list[str], address: str, status: int) -> None:
    make_channel(allowed_networks=networks)
    response = post(REMOTE_ADDR=address)
    assert response.status_code == status
    if status == 403:
        assert_refused(response, 403, "address-not-allowed")


def test_a_forwarded_address_is_not_believed_without_a_proxy_of_ours() -> None:
    make_channel(allowed_networks=["203.0.113.0/24"])
    response = post(REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="203.0.113.7")
    assert_refused(response, 403, "address-not-allowed")


def test_requests_beyond_the_rate_are_refused_with_the_time_to_wait() -> None:
    make_channel("slow", rate_limit_per_minute=1)
    address = f"198.51.100.{uuid.uuid4().int % 250 + 1}"
    path = f"{ADDRESS}/slow"
    first = post(body_of(), path=path, REMOTE_ADDR=address)
    assert (first.status_code, first["RateLimit-Limit"], first["RateLimit-Remaining"]) == (201, "1", "0")
    second = post(body_of(reference_number="REF-2"), path=path, webhook_id="msg_2", REMOTE_ADDR=address)
    assert (second.status_code, json.loads(second.content)["code"]) == (429, "rate-limited")
    assert 1 <= int(second["Retry-After"]) <= 60
    assert (second["RateLimit-Remaining"], second["RateLimit-Reset"]) == ("0", second["Retry-After"])
    assert counts() == (1, 1, 1, 0)
    # Another address has an allowance of its own.
    assert post(body_of(), path=path, REMOTE_ADDR="198.51.100.254").status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_body_that_is_not_declared_as_json_is_refused(content_type: str) -> None:
    make_channel()
    body = raw(body_of())
    response = Client().generic("POST", ADDRESS, body, content_type=content_type, headers=signed(body))
    assert_refused(response, 415, "content-type-unsupported")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"', "application/ld+json"],
)
def test_every_spelling_of_json_is_read(content_type: str) -> None:
    make_channel()
    assert post(content_type=content_type).status_code == 201


def test_other_charsets_and_compressed_bodies_are_refused() -> None:
    make_channel()
    assert post(content_type="application/json; charset=latin-1").status_code == 415
    assert post(HTTP_CONTENT_ENCODING="gzip").status_code == 415
    assert counts() == (0, 0, 0, 0)


BODY = raw(body_of())


@pytest.mark.parametrize(
    ("change_now", "code"),
    [
        (lambda: {"webhook-id": None}, "webhook-id-missing"),
        (lambda: {"webhook-id": "two words"}, "webhook-id-malformed"),
        (lambda: {"webhook-timestamp": None}, "timestamp-missing"),
        (lambda: {"webhook-timestamp": "yesterday"}, "timestamp-malformed"),
        (lambda: {"webhook-signature": None}, "signature-missing"),
        (lambda: {"webhook-signature": "v1"}, "signature-malformed"),
        (lambda: {"webhook-signature": signature("msg_1", 1, BODY)}, "signature-wrong"),
        (lambda: signed(BODY, at=1), "timestamp-outside-tolerance"),
        (lambda: signed(BODY, at=time.time() + 86400), "timestamp-outside-tolerance"),
        (lambda: signed(BODY, key=b"another key of thirty-two bytes!"), "signature-wrong"),
        (lambda: signed(BODY + b" "), "signature-wrong"),
    ],
)
def test_a_signature_that_proves_nothing_is_refused(change_now: Callable[[], dict[str, str | None]], code: str) -> None:
    # Signed when it is sent: the test run is longer than the tolerance.
    change = change_now()
    make_channel()
    headers = {name: value for name, value in (signed(BODY) | change).items() if value is not None}
    response = post(BODY, headers=headers)
    assert_refused(response, 401, code)
    assert response.has_header("WWW-Authenticate")


def test_the_plain_scheme_is_chosen_by_the_channel() -> None:
    make_channel("plain", scheme=SignatureScheme.PLAIN_HMAC)
    digest = hmac.new(PLAIN_SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    path = f"{ADDRESS}/plain"
    first = post(BODY, path=path, headers={"X-Signature": f"sha256={digest}"})
    again = post(BODY, path=path, headers={"X-Signature": f"sha256={digest}"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert post(BODY, path=path, headers=signed(BODY)).status_code == 401
    assert len(WebhookReceipt.objects.get(outcome="created").receipt_key or "") == 64


@pytest.mark.parametrize(
    "body", [b" ", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b'{"amount": NaN}', b"[" * 50 + b"]" * 50, b"\x00"]
)
def test_a_body_that_is_no_usable_json_is_refused(body: bytes) -> None:
    make_channel()
    assert_refused(post(body), 400, "json-invalid")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"'])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    make_channel()
    assert_refused(post(body), 422, "notice-invalid")


def test_everything_wrong_with_a_notice_is_said_at_once() -> None:
    make_channel()
    body = body_of(amount=-1, reference_number=" ", cif=7, payment_date="2026-11-05", currency="cad")
    problem = assert_refused(post(body), 422, "notice-invalid")
    fields = sorted(error["field"] for error in problem["errors"])
    assert fields == ["amount", "cif", "currency", "payment_date", "reference_number"]
    assert all(error["code"] and error["message"] for error in problem["errors"])


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0.10", "0.10"),
        ("125.5", "125.50"),
        ("9999999999999.99", "9999999999999.99"),
        ("1e2", "100.00"),
        ('"7"', "7.00"),
    ],
)
def test_amounts_are_read_digit_by_digit(text: str, stored: str) -> None:
    make_channel()
    body = raw(body_of(amount="AMOUNT")).replace(b'"AMOUNT"', text.encode())
    assert post(body).status_code == 201
    assert Payment.objects.get().amount == Decimal(stored)


def test_unknown_fields_are_kept_in_metadata() -> None:
    make_channel()
    post(body_of(metadata={"note": "über"}, branch="Süd", rate=0.1))
    assert Payment.objects.get().metadata == {"note": "über", "branch": "Süd", "rate": 0.1}


def test_the_channels_currency_is_meant_when_a_body_names_none() -> None:
    make_channel("yen", currency="JPY")
    path = f"{ADDRESS}/yen"
    assert post(body_of(amount=1.5), path=path).status_code == 422
    assert post(body_of(amount=150), path=path).status_code == 201
    assert Payment.objects.get().currency == "JPY"


def test_a_database_that_does_not_answer_is_a_503_that_may_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel()
    assert post(body_of(reference_number="REF-0"), webhook_id="msg_0").status_code == 201

    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr("payments.operations.recording._claim", away)
        response = post()
    assert (response.status_code, json.loads(response.content)["code"]) == (503, "database-unavailable")
    assert int(response["Retry-After"]) >= 1
    assert counts() == (1, 1, 1, 0)
    assert post().status_code == 201


def test_what_strangers_send_writes_no_more_receipts_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "STRANGERS_BURST", 3)
    monkeypatch.setattr(receipts, "STRANGERS_PER_SECOND", 0.0)
    monkeypatch.setattr(receipts, "_budget", receipts._Budget())
    make_channel()
    for _ in range(5):
        assert post(headers=signed(BODY, key=KEY[::-1])).status_code == 401
    assert WebhookReceipt.objects.count() == 3
    # Whoever has proven who they are is always in the log.
    assert post(body_of(amount=0)).status_code == 422
    assert WebhookReceipt.objects.count() == 4


def test_a_receipt_that_cannot_be_written_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel()
    post()
    monkeypatch.setattr(receipts, "KEEP", "select nonsense from nowhere")
    assert post().status_code == 200
    assert post(body_of(amount=0), webhook_id="msg_2").status_code == 422
    assert WebhookReceipt.objects.count() == 1


def test_refusals_are_logged_without_body_account_or_signature(caplog: pytest.LogCaptureFixture) -> None:
    make_channel()
    with caplog.at_level(logging.DEBUG):
        post(body_of(loan_account_number="LN-TO-HIDE", amount=-1))
        post(headers=signed(BODY, at=1))
    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "refuse_webhook" in said
    assert "LN-TO-HIDE" not in said
    assert signed(BODY, at=1)["webhook-signature"] not in said
