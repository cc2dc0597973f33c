"""One signed notice, from the raw request to its answer: what both ways in (door.py, views.py) call."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError

from kernel import exactjson
from kernel.errors import PaymentsiteError, Unavailable
from kernel.requests import address_of, bind_actor
from kernel.restapi.problems import problem_parts
from payments.adapters import AdapterContext
from payments.limits import notice_limits
from payments.notices import PaymentNotice, read_notice
from payments.operations.receipts import Receipt, keep_receipt, keep_strangers_receipt
from payments.operations.receiving import receive_notice
from payments.operations.recording import ReceiptFacts, Recording, ReferenceInConflict
from payments.states import Outcome, ReceiptOutcome
from payments.webhooks.admission import Arrival, admit
from payments.webhooks.metrics import UNKNOWN_CHANNEL, observe
from payments.webhooks.refusals import MethodNotAllowed

logger = logging.getLogger(__name__)

UNAVAILABLE = "unavailable"
FAILED = "failed"


@dataclass(slots=True)
class Answer:
    """Status, headers and body, for whichever server is in front."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_webhook(environ: Mapping[str, Any], *, slug: str, request_id: str) -> Answer:
    """Answers the request of a WSGI environment (PEP 3333): 201 created, 200 duplicate, 409, or a problem.

    Raises what is a defect of ours, for the server's log; the metrics count it as failed.
    """
    arrival = Arrival(
        slug=slug,
        at=datetime.now(UTC),
        started=time.perf_counter(),
        source_address=address_of(environ),
        request_id=request_id,
    )
    outcome = FAILED
    try:
        answer, outcome = _answer(environ, arrival)
    finally:
        channel = arrival.channel.slug if arrival.channel else UNKNOWN_CHANNEL
        observe(channel, outcome, time.perf_counter() - arrival.started)
    answer.headers |= arrival.rate_headers
    return answer


def _answer(environ: Mapping[str, Any], arrival: Arrival) -> tuple[Answer, str]:
    try:
        notice = _read(environ, arrival)
        recording = _record(notice, arrival)
        return _recorded_answer(environ, arrival, notice, recording)
    except (PaymentsiteError, OperationalError, InterfaceError) as error:
        answer = _problem(error, environ)
        if isinstance(error, MethodNotAllowed):
            answer.headers["Allow"] = "POST"
        if answer.status == Unavailable.status:
            # Nothing was decided about the notice, and what keeps receipts may be what is away.
            return answer, UNAVAILABLE
        code = getattr(error, "code", "")
        _keep_refusal(arrival, answer.status, code)
        return answer, ReceiptOutcome.REFUSED.value


def _read(environ: Mapping[str, Any], arrival: Arrival) -> PaymentNotice:
    channel = admit(environ, arrival)
    bind_actor(f"channel:{channel.slug}")
    body = exactjson.loads(arrival.body)
    content = channel.reader(body, AdapterContext(arrival.at, channel.slug, channel.currency))
    if content.get("payment_channel") is None:
        content = {**content, "payment_channel": channel.slug}
    return read_notice(content, notice_limits(arrival.at, currency=channel.currency))


def _record(notice: PaymentNotice, arrival: Arrival) -> Recording:
    facts = ReceiptFacts(
        channel_slug=arrival.slug,
        receipt_key=arrival.receipt_key or "",
        body_digest=arrival.body_digest,
        arrived=arrival.started,
        source_address=arrival.source_address or None,
        request_id=arrival.request_id,
    )
    return receive_notice(notice, receipt=facts, at=arrival.at)


def _recorded_answer(
    environ: Mapping[str, Any], arrival: Arrival, notice: PaymentNotice, recording: Recording
) -> tuple[Answer, str]:
    if recording.outcome is Outcome.RECORDED:
        return _accepted(201, "created", recording), ReceiptOutcome.CREATED.value
    if recording.outcome is Outcome.DUPLICATE:
        _keep(arrival, notice, recording, ReceiptOutcome.DUPLICATE, 200)
        return _accepted(200, "duplicate", recording), ReceiptOutcome.DUPLICATE.value
    conflict = ReferenceInConflict(payment_id=str(recording.payment_id), difference=list(recording.difference))
    _keep(arrival, notice, recording, ReceiptOutcome.CONFLICT, conflict.status, conflict.code)
    return _problem(conflict, environ), ReceiptOutcome.CONFLICT.value


def _accepted(status: int, word: str, recording: Recording) -> Answer:
    body = f'{{"status":"{word}","payment_id":"{recording.payment_id}"}}'
    return Answer(status, {"Content-Type": "application/json"}, body.encode("ascii"))


def _problem(error: Exception, environ: Mapping[str, Any]) -> Answer:
    return Answer(*problem_parts(error, path=str(environ.get("PATH_INFO", ""))))


def _keep(
    arrival: Arrival,
    notice: PaymentNotice,
    recording: Recording,
    outcome: ReceiptOutcome,
    status_code: int,
    problem_code: str = "",
) -> None:
    keep_receipt(
        Receipt(
            channel_slug=arrival.slug,
            receipt_key=arrival.receipt_key,
            body_digest=arrival.body_digest,
            outcome=outcome,
            status_code=status_code,
            problem_code=problem_code,
            reference_number=notice.reference_number,
            payment_id=recording.payment_id,
            payment_date=recording.payment_date,
            source_address=arrival.source_address or None,
            request_id=arrival.request_id,
            received_at=arrival.at,
            duration_ms=_elapsed_ms(arrival),
        )
    )


def _keep_refusal(arrival: Arrival, status_code: int, problem_code: str) -> None:
    extra = {"action": "refuse_webhook", "channel": arrival.slug, "status": status_code, "code": problem_code}
    logger.info("Webhook refused", extra=extra)
    if status_code == MethodNotAllowed.status:
        return
    keep = keep_strangers_receipt if arrival.receipt_key is None else keep_receipt
    keep(
        Receipt(
            channel_slug=arrival.slug[:100],
            receipt_key=None,
            body_digest=arrival.body_digest,
            outcome=ReceiptOutcome.REFUSED,
            status_code=status_code,
            problem_code=problem_code,
            source_address=arrival.source_address or None,
            request_id=arrival.request_id,
            received_at=arrival.at,
            duration_ms=_elapsed_ms(arrival),
        )
    )


def _elapsed_ms(arrival: Arrival) -> float:
    return round((time.perf_counter() - arrival.started) * 1000, 2)
