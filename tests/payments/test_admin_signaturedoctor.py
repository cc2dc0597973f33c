"""The doctor's page: who may ask, what it shows and writes, and what never leaves it."""

from __future__ import annotations

import base64
import html
import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from kernel.audit.models import AuditEntry
from payments.models import Channel, Payment, WebhookReceipt
from payments.operations.channels import rotate_secret
from payments.states import SignatureScheme
from tests.console.people import signed_in
from tests.payments.webhooks import (
    ACTOR,
    ADDRESS,
    KEY,
    PLAIN_SECRET,
    SECRET,
    body_of,
    make_channel,
    post,
    raw,
    signature,
    signed,
)

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/payments/webhookreceipt/doctor/"
FOREIGN_KEY = b"the-key-of-quite-another-channel"
FOREIGN_SECRET = "whsec_" + base64.b64encode(FOREIGN_KEY).decode()
BODY = raw(body_of(loan_account_number="LN-TO-HIDE", cif="CIF-TO-HIDE"))


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def pasted(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def ask(client: Client, headers: dict[str, str], body: bytes = BODY, *, query: str = "", **changes: Any) -> str:
    form = {"channel": "generic", "headers": pasted(headers), "body": body.decode(), "line_breaks": "lf"} | changes
    answer = client.post(PAGE + query, form)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return html.unescape(answer.content.decode())


def causes(page: str) -> list[str]:
    return [part.partition('"')[0] for part in page.split('data-cause="')[1:]]


def test_a_request_with_the_secret_of_another_channel_is_explained_and_no_secret_is_shown(
    operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    make_channel()
    make_channel("north", secret=FOREIGN_SECRET)
    headers = signed(BODY, key=FOREIGN_KEY)
    assert post(BODY, headers=headers).status_code == 401
    receipt = WebhookReceipt.objects.get()
    with caplog.at_level(logging.DEBUG):
        page = ask(operator, headers, query=f"?receipt={receipt.pk}")
    assert causes(page) == ["secret-of-another-channel"]
    assert "north" in page
    letter = page.partition('class="ps-letter"')[2].partition("</textarea>")[0]
    assert "Use the secret that belongs to the address to which you send." in letter
    assert "north" not in letter
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    audited = json.dumps([[entry.before, entry.after, entry.reason] for entry in AuditEntry.objects.all()])
    for key in (KEY, FOREIGN_KEY):
        for form in (key.decode(), key.hex(), base64.b64encode(key).decode(), repr(key)):
            assert form not in page + logged + audited
    assert "TO-HIDE" not in logged + audited
    assert headers["webhook-signature"] not in logged + audited


def test_the_audit_says_who_asked_and_what_was_found_and_nothing_of_the_request_is_kept(operator: Client) -> None:
    make_channel()
    before = (WebhookReceipt.objects.count(), AuditEntry.objects.count())
    ask(operator, signed(BODY, at=time.time() - 4000))
    assert (WebhookReceipt.objects.count(), AuditEntry.objects.count()) == (before[0], before[1] + 1)
    entry = AuditEntry.objects.order_by("-id")[0]
    assert (entry.action, entry.actor, entry.object_type) == ("webhook.diagnosed", "pat-operator", "payments.channel")
    assert entry.after == {"channel": "generic", "causes": ["clock-behind"]}


@pytest.mark.parametrize(
    ("headers_now", "body", "answer", "code", "found"),
    [
        (dict, BODY, 401, "webhook-id-missing", ["id-missing"]),
        (lambda: signed(BODY, key=base64.b64encode(KEY)), BODY, 401, "signature-wrong", ["secret-as-text"]),
        (lambda: signed(BODY + b"\n"), BODY, 401, "signature-wrong", ["body-line-breaks"]),
        (
            lambda: signed(json.dumps(json.loads(BODY), indent=4).encode()),
            BODY,
            401,
            "signature-wrong",
            ["body-reserialised"],
        ),
        (
            lambda: signed(BODY) | {"webhook-timestamp": "now"},
            BODY,
            401,
            "timestamp-malformed",
            ["timestamp-malformed"],
        ),
        (
            lambda: signed(BODY) | {"webhook-signature": signature("other", int(time.time()), BODY)},
            BODY,
            401,
            "signature-wrong",
            ["signature-unexplained"],
        ),
        (lambda: signed(b"{}"), b"{}", 422, "notice-invalid", ["content-refused"]),
    ],
)
def test_what_the_webhook_refused_is_explained_from_its_receipt_and_what_was_sent(
    operator: Client,
    headers_now: Callable[[], dict[str, str]],
    body: bytes,
    answer: int,
    code: str,
    found: list[str],
) -> None:
    # Signed when it is sent: the test run is longer than the tolerance.
    headers = headers_now()
    make_channel()
    response = post(body, headers=headers)
    assert (response.status_code, json.loads(response.content)["code"]) == (answer, code)
    receipt = WebhookReceipt.objects.get()
    page = ask(operator, headers, body, query=f"?receipt={receipt.pk}")
    missing = ["signature-unexplained"] if found == ["timestamp-malformed"] else []
    assert [cause for cause in causes(page) if cause not in missing] == found
    assert Payment.objects.count() == 0


def test_the_secret_before_a_rotation_is_told_from_the_time_of_the_request(operator: Client) -> None:
    channel = make_channel()
    at = timezone.now()
    rotate_secret(channel, overlap_hours=1, actor=ACTOR, at=at)
    assert post(BODY, headers=signed(BODY)).status_code == 201
    Channel.objects.update(previous_secret_expires_at=at - timedelta(minutes=1))
    assert causes(ask(operator, signed(BODY))) == ["secret-expired"]
    then = (at - timedelta(minutes=2)).isoformat()
    assert causes(ask(operator, signed(BODY, webhook_id="msg_2"), received_at=then)) == ["request-fine"]


def test_a_used_id_with_another_body_is_found_by_its_receipt(operator: Client) -> None:
    make_channel()
    assert post(BODY).status_code == 201
    other = raw(body_of(reference_number="REF-2"))
    assert post(other).status_code == 409
    assert causes(ask(operator, signed(other), other)) == ["id-reused"]


def test_a_channel_of_the_plain_scheme_and_a_body_as_base64(operator: Client) -> None:
    make_channel("till", scheme=SignatureScheme.PLAIN_HMAC)
    body = BODY.replace(b", ", b",\r\n")
    headers = signed(body, key=PLAIN_SECRET.encode())
    assert post(body, path=f"{ADDRESS}/till", headers=headers).status_code == 401
    encoded = base64.b64encode(body).decode()
    page = ask(operator, headers, encoded.encode(), channel="till", line_breaks="base64")
    assert causes(page) == ["scheme-other"]


def test_a_channel_that_is_off_and_one_that_does_not_exist(operator: Client) -> None:
    make_channel(is_active=False)
    assert causes(ask(operator, signed(BODY))) == ["channel-inactive"]
    assert causes(ask(operator, signed(BODY), channel="nobody")) == ["channel-unknown"]


def test_a_refused_request_leads_to_the_doctor_with_what_is_known_filled_in(operator: Client) -> None:
    make_channel()
    post(BODY, headers=signed(BODY, key=FOREIGN_KEY), REMOTE_ADDR="203.0.113.9")
    receipt = WebhookReceipt.objects.get()
    record = operator.get(f"/admin/payments/webhookreceipt/{receipt.pk}/change/").content.decode()
    address = f"{PAGE}?receipt={receipt.pk}"
    assert f'href="{address}"' in record
    page = operator.get(address).content.decode()
    assert "203.0.113.9" in page
    assert "signature-wrong" in page
    assert '<option value="generic" selected>' in page
    assert AuditEntry.objects.filter(action="webhook.diagnosed").count() == 0


def test_an_accepted_request_has_no_link_to_the_doctor(operator: Client) -> None:
    make_channel()
    post(BODY)
    receipt = WebhookReceipt.objects.get()
    assert PAGE not in operator.get(f"/admin/payments/webhookreceipt/{receipt.pk}/change/").content.decode().replace(
        f'href="{PAGE}"', ""
    )


def test_what_cannot_be_read_is_said_at_its_field(operator: Client) -> None:
    make_channel()
    page = ask(operator, {"webhook-id": "a\nnonsense"})
    assert "Line 2 is no header" in page
    assert "This is no base64." in ask(operator, {}, b"###", line_breaks="base64")
    assert "Write date and time" in ask(operator, {}, received_at="yesterday")
    assert AuditEntry.objects.filter(action="webhook.diagnosed").count() == 0


@pytest.mark.parametrize("role", ["viewer", "approver", "auditor", None])
def test_other_roles_may_not_ask(role: str | None) -> None:
    make_channel()
    client = signed_in(role)
    assert client.get(PAGE).status_code in (302, 403)
    assert client.post(PAGE, {"channel": "generic"}).status_code in (302, 403)
    assert AuditEntry.objects.filter(action="webhook.diagnosed").count() == 0


def test_markup_in_what_was_pasted_stays_text(operator: Client) -> None:
    make_channel()
    answer = operator.post(
        PAGE, {"channel": "generic", "headers": "a: <b onload=x>", "body": "<script>alert(1)</script>"}
    )
    assert b"<script>alert(1)" not in answer.content
    assert b"<b onload" not in answer.content


def test_the_secret_that_a_partner_should_not_have_sent_is_not_needed(operator: Client) -> None:
    make_channel()
    page = operator.get(PAGE).content.decode()
    assert "Never ask for the secret" in page
    assert SECRET not in page
