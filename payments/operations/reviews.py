"""What staff decide about what was not recorded: correct and record it, or dismiss it. Once, and with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.outbox.wakeup import wake_relay
from kernel.transactions import after_commit, unit_of_work
from payments.limits import notice_limits
from payments.models import ReferenceConflict, Review, StagingRejection
from payments.notices import PaymentNotice, read_notice
from payments.operations.recording import Origin, Recording, record_notice_as_step
from payments.partitioning import ensure_known, month_of
from payments.states import FINAL_REVIEW_STATUSES, REVIEW_MOVES, Outcome, PaymentSource, ReviewStatus

ReviewKind = TypeVar("ReviewKind", StagingRejection, ReferenceConflict)


class AlreadyDecided(Conflict):
    """Somebody has decided this one meanwhile."""

    code = "review-already-decided"
    title = "Already decided"
    next_step = "Open the record: it says who decided, when and why."


class ReviewUnknown(NotFound):
    """There is no such rejection or conflict."""

    code = "review-unknown"


class ReasonMissing(Refused):
    """A decision needs a reason."""

    code = "reason-missing"
    title = "Reason missing"
    next_step = "Say in a few words why; the reason is kept with the decision."


class CorrectionInConflict(Conflict):
    """The corrected content still contradicts what is recorded under its reference number."""

    code = "correction-in-conflict"
    title = "Still in conflict"
    next_step = "Correct the content to match the recorded payment, or give this payment its own reference number."


def correct_rejection(
    rejection_id: int, *, corrected: Mapping[str, Any], reason: str, actor: Actor, at: datetime
) -> Recording:
    """Records a rejected row with corrected content, in the format of a webhook's body.

    Gives what became of it; a payment that was already recorded with the same content counts as recorded. Raises
    NoticeInvalid, CorrectionInConflict, AlreadyDecided, ReasonMissing; after each of them nothing is changed.
    """
    notice = _checked(corrected, reason, at)
    return _correct(StagingRejection, rejection_id, notice, reason=reason, actor=actor, at=at)


def correct_conflict(
    conflict_id: int, *, corrected: Mapping[str, Any], reason: str, actor: Actor, at: datetime
) -> Recording:
    """Records what a conflicting notice should have said; as correct_rejection."""
    notice = _checked(corrected, reason, at)
    return _correct(ReferenceConflict, conflict_id, notice, reason=reason, actor=actor, at=at)


@unit_of_work
def dismiss_rejection(rejection_id: int, *, reason: str, actor: Actor, at: datetime) -> StagingRejection:
    """Puts a rejected row aside; it stays on record. Raises AlreadyDecided, ReasonMissing."""
    return _dismiss(StagingRejection, rejection_id, reason=reason, actor=actor, at=at)


@unit_of_work
def dismiss_conflict(conflict_id: int, *, reason: str, actor: Actor, at: datetime) -> ReferenceConflict:
    """Lets the first record stand and puts the contradicting notice aside. Raises AlreadyDecided, ReasonMissing."""
    return _dismiss(ReferenceConflict, conflict_id, reason=reason, actor=actor, at=at)


def _checked(corrected: Mapping[str, Any], reason: str, at: datetime) -> PaymentNotice:
    _require(reason)
    notice = read_notice(corrected, notice_limits(at, currency=settings.STAGING_CURRENCY))
    # Partitions are made in their own transaction, so before the correction opens its own.
    ensure_known([month_of(notice.payment_date)])
    return notice


@unit_of_work
def _correct(
    kind: type[ReviewKind], review_id: int, notice: PaymentNotice, *, reason: str, actor: Actor, at: datetime
) -> Recording:
    review = _lock_open(kind, review_id)
    origin = Origin(PaymentSource(review.origin_source), batch_id=review.batch_id, row_id=review.staging_id)
    recording = record_notice_as_step(notice, origin=origin, at=at)
    if recording.outcome is Outcome.CONFLICT:
        # Raising undoes the note that the recorder made of this conflict: it is told to the person at once.
        raise CorrectionInConflict(difference=list(recording.difference), payment_id=str(recording.payment_id))
    review.corrected = notice.as_body()
    review.recorded_payment_id = recording.payment_id
    review.recorded_payment_date = recording.payment_date
    _move_to(review, ReviewStatus.RECORDED, reason=reason, actor=actor, at=at)
    after_commit(wake_relay)
    return recording


def _dismiss(kind: type[ReviewKind], review_id: int, *, reason: str, actor: Actor, at: datetime) -> ReviewKind:
    _require(reason)
    review = _lock_open(kind, review_id)
    _move_to(review, ReviewStatus.DISMISSED, reason=reason, actor=actor, at=at)
    return review


def _require(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing(errors=(FieldError("reason", "reason_missing", "Say why."),))


def _lock_open(kind: type[ReviewKind], review_id: int) -> ReviewKind:
    found = kind.objects.lock([review_id])
    if not found:
        raise ReviewUnknown(f"There is no {kind._meta.verbose_name} {review_id}.")
    review: ReviewKind = found[0]
    if ReviewStatus(review.status) in FINAL_REVIEW_STATUSES:
        raise AlreadyDecided(
            f"{review} was {review.status} by {review.resolved_by}: {review.resolution_reason}", ids=[review_id]
        )
    return review


def _move_to(review: Review, target: ReviewStatus, *, reason: str, actor: Actor, at: datetime) -> None:
    """The one place where a review's status changes; it and its audit entry are saved together."""
    before = ReviewStatus(review.status)
    if target not in REVIEW_MOVES[before]:
        raise AlreadyDecided(f"{review} is {before}; it cannot become {target}.", ids=[review.pk])
    review.status = target.value
    review.status_since = at
    review.resolved_by = actor.name
    review.resolution_reason = reason.strip()
    review.save()
    record_entry(
        actor=actor,
        action=f"{review._meta.model_name}.{target.value}",
        subject=review,
        before={"status": before.value},
        after={
            "status": target.value,
            "corrected": review.corrected,
            "payment_id": str(review.recorded_payment_id) if review.recorded_payment_id else None,
        },
        reason=reason.strip(),
        at=at,
    )
