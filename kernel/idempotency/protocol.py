"""What a view of the API calls, so that a POST under an Idempotency-Key has its effect once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from kernel.idempotency.answers import Answer, answer_of, final_answer
from kernel.idempotency.errors import IdempotencyKeyInUse
from kernel.idempotency.fingerprints import Asked, read_asked
from kernel.idempotency.models import IdempotentRequest
from kernel.idempotency.operations import claim_and_work, find_kept, give_up_lease, keep_answer, take_over
from kernel.idempotency.states import RequestState

Subject = dict[str, Any]
LOOK_AGAIN_SECONDS = 0.05


def idempotent(
    request: Request,
    work: Callable[[], HttpResponse | Subject],
    *,
    at: datetime,
    finish: Callable[[Subject], HttpResponse] | None = None,
    clock: Callable[[], datetime] = timezone.now,
) -> HttpResponse:
    """The answer of `work`, done once for the caller's key; a repeat gets the same bytes and Idempotent-Replayed.

    In one phase: `work` is made of steps (@inside_unit_of_work) and returns its response. Claim, work and answer
    commit together. A Refused or a Conflict undoes the work and is kept as the answer; what may be repeated
    (Unavailable, a defect) undoes all, the claim too.

    In two, when the outside world is spoken to: `work` commits rows and returns a subject (JSON: the ids of the rows).
    Then `finish` is called with it, outside every transaction, and what it returns or is refused with is kept. When it
    fails otherwise, or its process dies, a repeat calls `finish` again with the same subject (after a lease of
    IDEMPOTENCY_LEASE_SECONDS, if nobody gave it up): it goes on from rows and speaks with ids that make a repeat
    harmless. `work` may also return a response at once, and there is no second phase.

    Raises IdempotencyKeyMissing and IdempotencyKeyInvalid (400), IdempotencyKeyReused (422) and IdempotencyKeyInUse
    (409, when the first is still running after IDEMPOTENCY_WAIT_MS).
    """
    asked = read_asked(request)
    kept = find_kept(asked)
    is_new = False
    if kept is None:
        kept, is_new = claim_and_work(
            asked,
            lambda: _outcome_of(work(), has_second_phase=finish is not None),
            refusal_of=lambda error: final_answer(error, request),
            at=at,
        )
    if kept.state == RequestState.ANSWERED:
        return _response_of(kept, replayed=not is_new)
    if finish is None:
        raise TypeError(f"The work under key {asked.key} has a second phase: give the view its finish.")
    if not is_new and not take_over(kept, at=at):
        return _when_answered(asked)
    return _finish(request, kept, finish, clock)


def _outcome_of(outcome: HttpResponse | Subject, *, has_second_phase: bool) -> Answer | Subject:
    if isinstance(outcome, HttpResponse):
        return answer_of(outcome)
    if not has_second_phase:
        raise TypeError("Work of one phase returns its response; work with a subject needs a finish.")
    return outcome


def _finish(
    request: Request,
    kept: IdempotentRequest,
    finish: Callable[[Subject], HttpResponse],
    clock: Callable[[], datetime],
) -> HttpResponse:
    try:
        answer = answer_of(finish(kept.subject or {}))
    except Exception as error:
        refusal = final_answer(error, request)
        if refusal is None:
            give_up_lease(kept, at=clock())
            raise
        answer = refusal
    if keep_answer(kept, answer, at=clock()):
        return answer.as_response(replayed=False)
    # The lease was over and a repeat went on: what it comes to is the answer.
    kept.refresh_from_db()
    if kept.state == RequestState.ANSWERED:
        return _response_of(kept, replayed=True)
    raise IdempotencyKeyInUse


def _when_answered(asked: Asked) -> HttpResponse:
    """The answer of a second phase that runs elsewhere, if it comes within IDEMPOTENCY_WAIT_MS."""
    deadline = time.monotonic() + settings.IDEMPOTENCY_WAIT_MS / 1000
    while time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN_SECONDS)
        kept = find_kept(asked)
        if kept is not None and kept.state == RequestState.ANSWERED:
            return _response_of(kept, replayed=True)
    raise IdempotencyKeyInUse


def _response_of(kept: IdempotentRequest, *, replayed: bool) -> HttpResponse:
    return Answer(kept.status_code or 0, bytes(kept.body), kept.headers).as_response(replayed=replayed)
