"""Manual entry: a payment that no system reported, recorded by a member of staff."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import FieldError
from kernel.outbox.wakeup import wake_relay
from kernel.transactions import after_commit, unit_of_work
from payments.limits import notice_limits
from payments.notices import PaymentNotice, read_notice
from payments.operations.recording import Origin, Recording, ReferenceInConflict, record_notice_as_step
from payments.operations.reviews import ReasonMissing
from payments.partitioning import ensure_known, month_of
from payments.states import Outcome, PaymentSource


def record_manual_payment(body: Mapping[str, Any], *, reason: str, actor: Actor, at: datetime) -> Recording:
    """Records a payment from a body in the seed plan's format, with an audit entry that says who and why.

    A reference that is recorded with the same content is answered with that payment and writes nothing. Raises
    NoticeInvalid, ReasonMissing, and ReferenceInConflict with the difference; after each of them nothing is changed.
    """
    if not reason.strip():
        raise ReasonMissing(errors=(FieldError("reason", "reason_missing", "Say why."),))
    notice = read_notice(body, notice_limits(at))
    # Partitions are made in their own transaction, so before the entry opens its own.
    ensure_known([month_of(notice.payment_date)])
    return _record(notice, reason=reason.strip(), actor=actor, at=at)


@unit_of_work
def _record(notice: PaymentNotice, *, reason: str, actor: Actor, at: datetime) -> Recording:
    recording = record_notice_as_step(notice, origin=Origin(PaymentSource.MANUAL), at=at)
    if recording.outcome is Outcome.CONFLICT:
        # Raising undoes the note that the recorder made of this conflict: it is told to the person at once.
        raise ReferenceInConflict(difference=list(recording.difference), payment_id=str(recording.payment_id))
    if recording.is_new:
        record_entry(
            actor=actor,
            action="payment.recorded-by-hand",
            subject=("payments.payment", str(recording.payment_id)),
            after=notice.as_body(),
            reason=reason,
            at=at,
        )
        after_commit(wake_relay)
    return recording
