"""What every hostile request is held to: the exact answer, nothing recorded, and a log that repeats nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse

from payments.models import WebhookReceipt
from tests.payments.staged import everything_counted
from tests.payments.webhooks import KEY, SECRET, body_of, post, raw

# Texts that stand in the bodies and must not stand in any log.
ACCOUNT = "LN-SECRET-4711"
CIF = "CIF-SECRET-815"
CARD = "4000001234567899"
PRIVATE = (ACCOUNT, CIF, CARD, SECRET, SECRET.removeprefix("whsec_"), KEY.decode(), KEY.hex())
NOTHING = dict.fromkeys(
    (
        "payments",
        "payment_references",
        "outbox_event",
        "outbox_delivery",
        "staging_rejection",
        "reference_conflict",
        "staging_duplicate",
        "staging_process_log",
    ),
    0,
)


def notice(**changes: Any) -> dict[str, Any]:
    """A good notice whose account, CIF and metadata can be told in a log."""
    return body_of(loan_account_number=ACCOUNT, cif=CIF, metadata={"card": CARD}) | changes


def with_literal(field: str, literal: str) -> bytes:
    """The body with JSON text of one's own in the place of a field's value."""
    return raw(notice(**{field: "@@"})).replace(b'"@@"', literal.encode("utf-8", errors="surrogatepass"))


def older_generations() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from payment_references_previous")
        previous = int(cursor.fetchone()[0])
        cursor.execute("select count(*) from payment_references_history")
        return previous + int(cursor.fetchone()[0])


def assert_nothing_recorded() -> None:
    assert everything_counted() == NOTHING
    assert older_generations() == 0


def assert_refused(response: HttpResponse, status: int, code: str, *field_codes: str) -> None:
    """The status, the problem's code and its fields' codes; nothing recorded; one receipt that uses up no id."""
    problem = json.loads(response.content)
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response["Content-Type"] == "application/problem+json"
    assert sorted(error["code"] for error in problem.get("errors", ())) == sorted(field_codes)
    assert_nothing_recorded()
    receipt = WebhookReceipt.objects.get()
    assert (receipt.outcome, receipt.status_code, receipt.problem_code) == ("refused", status, code)
    assert (receipt.receipt_key, receipt.payment_id, receipt.reference_number) == (None, None, "")


def assert_said_nothing(lines: Iterable[str], *private: str) -> None:
    """The log has none of the private texts, in whatever line."""
    said = "\n".join(lines)
    for text in (*PRIVATE, *private):
        assert text not in said


def logged_by(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.getMessage()} {record.exc_text or ''} {record.__dict__}" for record in caplog.records]


def refuse(
    caplog: pytest.LogCaptureFixture, body: Any, status: int, code: str, *field_codes: str, **post_options: Any
) -> None:
    """Posts the body with a good signature, and holds the answer, the tables and the log to all of the above."""
    response = post(body, **post_options)
    assert_refused(response, status, code, *field_codes)
    assert_said_nothing(logged_by(caplog))
    assert [
        getattr(record, "code", "") for record in caplog.records if getattr(record, "action", "") == "refuse_webhook"
    ]


def first_error(response: HttpResponse) -> Mapping[str, Any]:
    error: Mapping[str, Any] = json.loads(response.content)["errors"][0]
    return error
