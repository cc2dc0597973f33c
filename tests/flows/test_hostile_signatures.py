"""Hostile signatures: every way to be somebody else, or to say it again, ends in its own refusal."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from payments.channeldirectory import directory
from payments.models import Channel, Payment, WebhookReceipt
from payments.operations.channels import rotate_secret
from payments.states import SignatureScheme
from tests.flows.hostility import NOTHING, assert_refused, assert_said_nothing, logged_by, notice
from tests.payments.staged import everything_counted
from tests.payments.webhooks import ACTOR, ADDRESS, PLAIN_SECRET, make_channel, post, raw, signature, signed

pytestmark = pytest.mark.django_db(transaction=True)
BODY = raw(notice())
FOREIGN_KEY = b"the-key-of-quite-another-channel"


@pytest.fixture(autouse=True)
def _channel(caplog: pytest.LogCaptureFixture) -> None:
    make_channel()
    caplog.set_level(logging.DEBUG)


def now() -> int:
    return int(time.time())


def changed(**changes: str | None) -> dict[str, str]:
    headers = signed(BODY) | {f"webhook-{name}": value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


def many(number: int) -> str:
    return " ".join([signature("msg_1", now(), BODY, key=bytes([n]) * 32) for n in range(number)])


HEADERS = {
    "no header at all": (dict, "webhook-id-missing"),
    "the id is stripped": (lambda: changed(id=None), "webhook-id-missing"),
    "the id is empty": (lambda: changed(id=""), "webhook-id-missing"),
    "the id is too long": (lambda: signed(BODY, webhook_id="m" * 256), "webhook-id-malformed"),
    "the id holds a blank": (lambda: signed(BODY, webhook_id="msg 1"), "webhook-id-malformed"),
    "the id is not ASCII": (lambda: changed(id="m\u00e9"), "webhook-id-malformed"),
    "another id than was signed": (lambda: changed(id="msg_2"), "signature-wrong"),
    "no signature": (lambda: changed(signature=None), "signature-missing"),
    "an empty signature": (lambda: changed(signature=""), "signature-missing"),
    "a signature of blanks": (lambda: changed(signature="   "), "signature-malformed"),
    "no version": (lambda: changed(signature=changed()["webhook-signature"][3:]), "signature-malformed"),
    "version 2": (lambda: changed(signature="v2" + changed()["webhook-signature"][2:]), "signature-malformed"),
    "hexadecimal": (lambda: changed(signature="v1," + "ab" * 32), "signature-malformed"),
    "too short": (lambda: changed(signature="v1,AAAA"), "signature-malformed"),
    "an empty list": (lambda: changed(signature="v1, v1, v1,"), "signature-malformed"),
    "eleven signatures": (lambda: changed(signature=many(11)), "signature-malformed"),
    "ten wrong ones": (lambda: changed(signature=many(10)), "signature-wrong"),
    "thirty thousand": (lambda: changed(signature="v1,A " * 30_000), "signature-malformed"),
    "all zeros": (lambda: changed(signature="v1," + "A" * 43 + "="), "signature-wrong"),
    "headers twice, joined by a comma": (
        lambda: changed(signature=",".join([changed()["webhook-signature"]] * 2)),
        "signature-malformed",
    ),
    "the body re-serialised": (
        lambda: signed(json.dumps(json.loads(BODY), indent=1).encode()),
        "signature-wrong",
    ),
    "a blank behind the body": (lambda: signed(BODY + b" "), "signature-wrong"),
    "an empty body signed": (lambda: signed(b""), "signature-wrong"),
    "the key of another channel": (lambda: signed(BODY, key=FOREIGN_KEY), "signature-wrong"),
    "no timestamp": (lambda: changed(timestamp=None), "timestamp-missing"),
    "milliseconds": (lambda: signed(BODY, at=time.time() * 1000), "timestamp-malformed"),
    "a fraction": (lambda: changed(timestamp=f"{time.time():.3f}"), "timestamp-malformed"),
    "a sign": (lambda: changed(timestamp=f"+{now()}"), "timestamp-malformed"),
    "Arabic digits": (lambda: changed(timestamp="\u0661\u0662"), "timestamp-malformed"),
    "twenty digits": (lambda: changed(timestamp="9" * 20), "timestamp-malformed"),
    "a clock behind": (lambda: signed(BODY, at=time.time() - 310), "timestamp-outside-tolerance"),
    "a clock ahead": (lambda: signed(BODY, at=time.time() + 310), "timestamp-outside-tolerance"),
    "the year 1970": (lambda: signed(BODY, at=0), "timestamp-outside-tolerance"),
    "another time than was signed": (lambda: changed(timestamp=str(now() - 5)), "signature-wrong"),
    "the plain scheme": (
        lambda: {"X-Signature": "sha256=" + hmac.new(b"x" * 16, BODY, hashlib.sha256).hexdigest()},
        "webhook-id-missing",
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_signature_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    make_headers, code = HEADERS[name]
    headers = make_headers()
    response = post(BODY, headers=headers)
    assert_refused(response, 401, code)
    assert response["WWW-Authenticate"]
    sent = [value for header in ("webhook-signature", "X-Signature") if (value := headers.get(header, "").strip())]
    assert_said_nothing(logged_by(caplog), *sent)


def plain_digest(content: bytes, key: str = PLAIN_SECRET) -> str:
    return hmac.new(key.encode(), content, hashlib.sha256).hexdigest()


PLAIN = {
    "no header": (dict, "signature-missing"),
    "standard headers": (lambda: signed(BODY), "signature-missing"),
    "no prefix": (lambda: {"X-Signature": plain_digest(BODY)}, "signature-malformed"),
    "sha1 by name": (lambda: {"X-Signature": "sha1=" + plain_digest(BODY)[:40]}, "signature-malformed"),
    "63 digits": (lambda: {"X-Signature": "sha256=" + plain_digest(BODY)[:-1]}, "signature-malformed"),
    "two joined by a comma": (
        lambda: {"X-Signature": ",".join([f"sha256={plain_digest(BODY)}"] * 2)},
        "signature-malformed",
    ),
    "another secret": (lambda: {"X-Signature": "sha256=" + plain_digest(BODY, "x" * 20)}, "signature-wrong"),
    "a time that was not signed": (
        lambda: {"X-Signature": f"sha256={plain_digest(BODY)}", "X-Timestamp": str(now())},
        "signature-wrong",
    ),
    "the signed time taken away": (
        lambda: {"X-Signature": "sha256=" + plain_digest(f"{now()}.".encode() + BODY)},
        "signature-wrong",
    ),
    "an old time": (
        lambda: {"X-Signature": "sha256=" + plain_digest(b"1." + BODY), "X-Timestamp": "1"},
        "timestamp-outside-tolerance",
    ),
    "a time in words": (
        lambda: {"X-Signature": "sha256=" + plain_digest(b"now." + BODY), "X-Timestamp": "now"},
        "timestamp-malformed",
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_hostile_signature_of_the_plain_scheme_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    make_channel("till", scheme=SignatureScheme.PLAIN_HMAC)
    make_headers, code = PLAIN[name]
    response = post(BODY, path=f"{ADDRESS}/till", headers=make_headers())
    assert_refused(response, 401, code)
    assert_said_nothing(logged_by(caplog), PLAIN_SECRET)


def codes_of(*responses: HttpResponse) -> list[tuple[int, str]]:
    return [(response.status_code, json.loads(response.content).get("code", "")) for response in responses]


def test_the_right_one_among_several_signatures_is_enough_and_other_versions_are_passed_over() -> None:
    right = signature("msg_1", now(), BODY)
    headers = changed(signature=f"v1a,ZWQ= {many(3)} {right}", timestamp=str(now()))
    assert post(BODY, headers=headers).status_code == 201


def test_a_replay_is_answered_as_a_duplicate_and_records_nothing_more() -> None:
    headers = signed(BODY)
    assert codes_of(post(BODY, headers=headers), post(BODY, headers=headers)) == [(201, ""), (200, "")]
    assert everything_counted() == NOTHING | {
        "payments": 1, "payment_references": 1, "outbox_event": 1, "outbox_delivery": 1
    }  # fmt: skip


def test_a_replayed_id_with_another_body_is_a_conflict_and_records_nothing_more() -> None:
    other = raw(notice(reference_number="REF-2"))
    first, second = post(BODY), post(other)
    assert codes_of(first, second) == [(201, ""), (409, "webhook-id-reused")]
    assert Payment.objects.count() == 1
    assert everything_counted()["outbox_event"] == 1


def test_a_request_for_one_channel_proves_nothing_on_another() -> None:
    make_channel("north", secret="whsec_" + "A" * 43 + "=")
    response = post(BODY, path=f"{ADDRESS}/north", headers=signed(BODY))
    assert_refused(response, 401, "signature-wrong")


def test_a_secret_is_good_until_the_overlap_of_its_rotation_ends() -> None:
    channel = make_channel("turning")
    path = f"{ADDRESS}/turning"
    rotate_secret(channel, overlap_hours=1, actor=ACTOR, at=timezone.now())
    assert post(BODY, path=path).status_code == 201
    rotate_back = timezone.now() - timedelta(seconds=1)
    Channel.objects.filter(slug="turning").update(previous_secret_expires_at=rotate_back)
    directory.forget()
    late = post(raw(notice(reference_number="REF-2")), path=path, webhook_id="msg_2")
    assert codes_of(late) == [(401, "signature-wrong")]
    assert Payment.objects.count() == 1


def test_a_slug_that_is_no_slug_is_not_found_and_leaves_no_receipt() -> None:
    for slug in ("..%2f", "a b", "%00", "\u00e9", "a.b", "%0d%0aSet-Cookie:x"):
        response = Client().post(f"{ADDRESS}/{slug}", BODY, content_type="application/json", headers=signed(BODY))
        assert response.status_code in (404, 301), slug
        assert "Set-Cookie" not in response.headers
    assert everything_counted() == NOTHING
    assert WebhookReceipt.objects.count() == 0


def test_a_slug_longer_than_any_channel_is_unknown_and_its_receipt_is_cut() -> None:
    response = post(BODY, path=f"{ADDRESS}/{'a' * 5000}")
    assert_refused(response, 404, "channel-unknown")
    assert WebhookReceipt.objects.get().channel_slug == "a" * 100
