"""The endpoint. A plain view: what REST framework would add here costs more than the whole recording."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from kernel import exactjson
from kernel.errors import PaymentsiteError, Unavailable
from kernel.requests import bind_actor, client_address, current_request_id
from kernel.restapi.problems import problem
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

GENERIC_CHANNEL = "generic"
UNAVAILABLE = "unavailable"
FAILED = "failed"


@csrf_exempt
def receive(request: HttpRequest, slug: str = GENERIC_CHANNEL) -> HttpResponse:
    """Answers one signed notice: 201 created, 200 duplicate, 409 with the difference, or a problem."""
    arrival = Arrival(
        slug=slug,
        at=datetime.now(UTC),
        started=time.perf_counter(),
        source_address=client_address(request),
        request_id=current_request_id() or "",
    )
    outcome = FAILED
    try:
        response, outcome = _answer(request, arrival)
    finally:
        channel = arrival.channel.slug if arrival.channel else UNKNOWN_CHANNEL
        observe(channel, outcome, time.perf_counter() - arrival.started)
    for name, value in arrival.rate_headers.items():
        response[name] = value
    return response


def _answer(request: HttpRequest, arrival: Arrival) -> tuple[HttpResponse, str]:
    try:
        notice = _read(request, arrival)
        recording = _record(notice, arrival)
        return _recorded_response(request, arrival, notice, recording)
    except (PaymentsiteError, OperationalError, InterfaceError) as error:
        response = problem(error, request)
        if isinstance(error, MethodNotAllowed):
            response["Allow"] = "POST"
        if response.status_code == Unavailable.status:
            # Nothing was decided about the notice, and what keeps receipts may be what is away.
            return response, UNAVAILABLE
        code = getattr(error, "code", "")
        _keep_refusal(arrival, response.status_code, code)
        return response, ReceiptOutcome.REFUSED.value


def _read(request: HttpRequest, arrival: Arrival) -> PaymentNotice:
    channel = admit(request, arrival)
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
        source_address=arrival.source_address or None,
        request_id=arrival.request_id,
        elapsed_ms=_elapsed_ms(arrival),
    )
    return receive_notice(notice, receipt=facts, at=arrival.at)


def _recorded_response(
    request: HttpRequest, arrival: Arrival, notice: PaymentNotice, recording: Recording
) -> tuple[HttpResponse, str]:
    if recording.outcome is Outcome.RECORDED:
        return _accepted(201, "created", recording), ReceiptOutcome.CREATED.value
    if recording.outcome is Outcome.DUPLICATE:
        _keep(arrival, notice, recording, ReceiptOutcome.DUPLICATE, 200)
        return _accepted(200, "duplicate", recording), ReceiptOutcome.DUPLICATE.value
    conflict = ReferenceInConflict(payment_id=str(recording.payment_id), difference=list(recording.difference))
    _keep(arrival, notice, recording, ReceiptOutcome.CONFLICT, conflict.status, conflict.code)
    return problem(conflict, request), ReceiptOutcome.CONFLICT.value


def _accepted(status: int, word: str, recording: Recording) -> HttpResponse:
    body = f'{{"status":"{word}","payment_id":"{recording.payment_id}"}}'
    return HttpResponse(body.encode("ascii"), content_type="application/json", status=status)


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
