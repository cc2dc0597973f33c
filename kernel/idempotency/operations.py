"""Claims a key in the transaction of the work, and keeps the answer with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from psycopg import errors

from kernel.idempotency.answers import Answer
from kernel.idempotency.errors import IdempotencyKeyInUse, IdempotencyKeyReused
from kernel.idempotency.fingerprints import Asked
from kernel.idempotency.models import IdempotentRequest
from kernel.idempotency.states import RequestState
from kernel.transactions import inside_unit_of_work, unit_of_work

WAIT_ENDED = (errors.LockNotAvailable, errors.QueryCanceled)


def find_kept(asked: Asked) -> IdempotentRequest | None:
    """The request under this caller's key that is committed, or None. Raises IdempotencyKeyReused (422)."""
    kept = IdempotentRequest.objects.under(caller_kind=asked.caller_kind, caller_id=asked.caller_id, key=asked.key)
    if kept is not None and kept.content_sha256 != asked.content_sha256:
        raise IdempotencyKeyReused
    return kept


@unit_of_work
def claim_and_work(
    asked: Asked,
    work: Callable[[], Answer | dict[str, Any]],
    *,
    refusal_of: Callable[[Exception], Answer | None],
    at: datetime,
) -> tuple[IdempotentRequest, bool]:
    """Claims the key, does the work and keeps its answer, all in this one transaction; gives the row and is_new.

    A refusal of the work undoes the work alone, and is kept as the answer under the same claim, so that nobody can
    slip in between. Whatever else is raised undoes the claim too. Work that gives no answer but a subject leaves the
    row running, with a lease. Somebody else's claim is waited for as long as IDEMPOTENCY_WAIT_MS, then it is an
    IdempotencyKeyInUse (409). Raises IdempotencyKeyReused (422) before any work is done.
    """
    _lock(asked)
    claimed = IdempotentRequest(
        caller_kind=asked.caller_kind,
        caller_id=asked.caller_id,
        key=asked.key,
        method=asked.method,
        path=asked.path,
        content_sha256=asked.content_sha256,
        state=RequestState.RUNNING,
        lease_until=lease_end(at),
        created_at=at,
    )
    if not _insert(claimed):
        kept = find_kept(asked)
        if kept is None:
            # Pruned in this very moment.
            raise IdempotencyKeyInUse
        return kept, False
    try:
        # The claim stays when the work is refused: only what the work did is undone.
        with transaction.atomic():
            outcome = work()
    except Exception as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        outcome = refusal
    _keep_outcome(claimed, outcome, at=at)
    return claimed, True


@unit_of_work
def keep_answer(kept: IdempotentRequest, answer: Answer, *, at: datetime) -> bool:
    """Keeps what the second phase came to; False when somebody else has taken the request over meanwhile."""
    _set_answer(kept, answer, at=at)
    mine = IdempotentRequest.objects.filter(pk=kept.pk, state=RequestState.RUNNING, attempts=kept.attempts)
    changed = mine.update(
        state=kept.state,
        lease_until=None,
        status_code=kept.status_code,
        headers=kept.headers,
        body=kept.body,
        completed_at=at,
    )
    return changed == 1


@unit_of_work
def take_over(kept: IdempotentRequest, *, at: datetime) -> bool:
    """Takes the lease of a running request whose lease is over; False when another one was quicker."""
    over = IdempotentRequest.objects.filter(
        pk=kept.pk, state=RequestState.RUNNING, attempts=kept.attempts, lease_until__lte=at
    )
    is_ours = over.update(attempts=F("attempts") + 1, lease_until=lease_end(at)) == 1
    kept.attempts += is_ours
    return is_ours


@unit_of_work
def give_up_lease(kept: IdempotentRequest, *, at: datetime) -> None:
    """Lets the next repeat go on at once, after a second phase that could not be brought to its end."""
    mine = IdempotentRequest.objects.filter(pk=kept.pk, state=RequestState.RUNNING, attempts=kept.attempts)
    mine.update(lease_until=at)


def lease_end(at: datetime) -> datetime:
    """Until when nobody else goes on with a second phase that begins at this moment."""
    return at + timedelta(seconds=settings.IDEMPOTENCY_LEASE_SECONDS)


@inside_unit_of_work
def _lock(asked: Asked) -> None:
    """Waits for whoever works under this key, but not for long. The lock goes with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [asked.lock])
        if cursor.fetchone()[0]:
            return
        if settings.IDEMPOTENCY_WAIT_MS == 0:
            raise IdempotencyKeyInUse
        try:
            cursor.execute(
                "select current_setting('lock_timeout'), set_config('lock_timeout', %s, true)",
                [f"{settings.IDEMPOTENCY_WAIT_MS:d}ms"],
            )
            before = cursor.fetchone()[0]
            cursor.execute("select pg_advisory_xact_lock(%s)", [asked.lock])
            cursor.execute("select set_config('lock_timeout', %s, true)", [before])
        except OperationalError as error:
            if isinstance(error.__cause__, WAIT_ENDED):
                raise IdempotencyKeyInUse from None
            raise


@inside_unit_of_work
def _insert(claimed: IdempotentRequest) -> bool:
    """Whether the row was added; False when there is one under the same key."""
    # The unique constraint is the gate; the lock only spares those who come late from working in vain.
    columns = [field for field in IdempotentRequest._meta.concrete_fields if not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in columns)
    marks = ", ".join(["%s"] * len(columns))
    values = [field.get_db_prep_save(getattr(claimed, field.attname), connection) for field in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into idempotent_request ({names}) values ({marks}) "  # noqa: S608 - columns of our own model
            "on conflict (caller_kind, caller_id, key) do nothing returning id",
            values,
        )
        row = cursor.fetchone()
    claimed.pk = row[0] if row is not None else None
    return row is not None


@inside_unit_of_work
def _keep_outcome(claimed: IdempotentRequest, outcome: Answer | dict[str, Any], *, at: datetime) -> None:
    if isinstance(outcome, Answer):
        _set_answer(claimed, outcome, at=at)
    else:
        claimed.subject = outcome
    claimed.save(force_update=True)


def _set_answer(kept: IdempotentRequest, answer: Answer, *, at: datetime) -> None:
    kept.state = RequestState.ANSWERED
    kept.lease_until = None
    kept.status_code = answer.status
    kept.headers = answer.headers
    kept.body = answer.body
    kept.completed_at = at
