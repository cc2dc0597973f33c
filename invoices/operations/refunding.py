"""Refunds: asked for, agreed to by a second person where the product asks for it, carried out, confirmed or refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from invoices.events import announce_drawdown_refund, announce_reversal
from invoices.methods import Collection, find_method
from invoices.models import Invoice, InvoiceLine, OutsideCall, Refund, RefundLine
from invoices.operations.callrows import queue_card_refund
from invoices.operations.creditrows import add_credit
from invoices.operations.refundplans import (
    RefundPart,
    RefundPlan,
    is_confirmed_outside,
    plan_refund,
    require_same_plan,
    takes_back_money,
)
from invoices.operations.standing import follow, lock_invoice, turn_references
from invoices.states import (
    CallStatus,
    CreditKind,
    FeeType,
    LineStatus,
    ReferenceStatus,
    RefundOutcome,
    RefundStatus,
)
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

REASON_LIMIT = 250


class NoSuchRefund(NotFound):
    """There is no refund of this id, or not of this invoice."""

    code = "refund-not-found"
    title = "No such refund"


class RefundReasonMissing(Refused):
    """A refund needs a reason of at most 250 characters."""

    code = "refund-reason-missing"


class RefundCallOpen(Conflict):
    """The gateway is being asked for this refund: what it answers decides."""

    code = "refund-call-open"
    title = "The gateway is being asked"
    next_step = "Wait for its answer; if none comes, the sweep asks again, and the call says what went wrong."


class EvidenceMissing(Refused):
    """What was given back outside needs the evidence of it: a cheque's number, a bank's reference."""

    code = "refund-evidence-missing"


@inside_unit_of_work
def add_refund(
    invoice: Invoice,
    parts: Sequence[RefundPart] | None,
    *,
    reason: str,
    staff_comment: str = "",
    notification_email: str = "",
    is_manual: bool = False,
    expects: str = "",
    actor: Actor,
    at: datetime,
) -> tuple[Refund, RefundPlan]:
    """The row of a refund of the locked invoice, its amounts held back from others, and what it will do.

    `expects` is the fingerprint of the plan that was shown. Raises what `plan_refund` and `require_same_plan` raise,
    and RefundReasonMissing. Nothing is carried out yet.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_LIMIT:
        message = f"Say why, in at most {REASON_LIMIT} characters: whoever approves it decides by that."
        raise RefundReasonMissing(message, errors=(FieldError("reason", "required", message),))
    InvoiceLine.objects.lock(invoice.pk)
    plan = plan_refund(invoice, parts, is_manual=is_manual)
    require_same_plan(plan, expects)
    refund = Refund.objects.create(
        invoice=invoice,
        is_full=plan.is_full,
        amount=plan.amount,
        currency=invoice.currency,
        outcome=plan.outcome,
        status=RefundStatus.PENDING_APPROVAL if plan.needs_approval else RefundStatus.PROCESSING,
        status_since=at,
        reason=reason,
        staff_comment=staff_comment.strip(),
        notification_email=notification_email.strip(),
        requested_by_kind=actor.kind.value,
        requested_by=actor.name,
        requested_at=at,
        needs_approval=plan.needs_approval,
    )
    RefundLine.objects.bulk_create(
        RefundLine(refund=refund, line_id=part.line_id, fee_type=part.fee_type, amount=part.amount)
        for part in plan.parts
    )
    _hold(invoice, refund.lines.all(), sign=1)
    after = {"status": refund.status, "amount": refund.amount, "outcome": refund.outcome, "invoice": invoice.pk}
    record_entry(actor=actor, action="refund.requested", subject=refund, after=after, reason=reason, at=at)
    return refund, plan


@unit_of_work
def record_manual_refund(
    invoice_id: int,
    parts: Sequence[RefundPart] | None,
    *,
    reason: str,
    evidence: str,
    staff_comment: str = "",
    expects: str = "",
    actor: Actor,
    at: datetime,
) -> Refund:
    """Records what finance gave back outside, with its evidence; no other system is told (domain.md 11.3, A9, A22).

    Raises EvidenceMissing and what `add_refund` raises.
    """
    if not evidence.strip():
        message = "Give what proves it: the cheque's number or the bank's reference."
        raise EvidenceMissing(message, errors=(FieldError("evidence", "required", message),))
    invoice = lock_invoice(invoice_id)
    refund, _ = add_refund(
        invoice,
        parts,
        reason=reason,
        staff_comment=staff_comment,
        is_manual=True,
        expects=expects,
        actor=actor,
        at=at,
    )
    _finish(invoice, refund, evidence=evidence.strip(), final_at=at, actor=actor, at=at)
    return refund


@inside_unit_of_work
def carry_out(invoice: Invoice, refund: Refund, *, actor: Actor, at: datetime) -> None:
    """Does what the refund is for, now that nobody must agree any more; the invoice is locked.

    What the outside must confirm stays PROCESSING until `finish_refund`. Raises IllegalRefundMove, IllegalInvoiceMove.
    """
    if refund.status == RefundStatus.PENDING_APPROVAL:
        refund._move_to(RefundStatus.PROCESSING, at=at)
        refund.save()
    outcome = RefundOutcome(refund.outcome)
    if is_confirmed_outside(invoice, outcome):
        _ask_outside(invoice, refund, actor=actor, at=at)
        return
    if outcome == RefundOutcome.CREDIT:
        refund.credit = add_credit(
            invoice,
            kind=CreditKind.CREDIT_MEMO,
            amount=refund.amount,
            details=f"{refund}",
            actor=actor,
            at=at,
        )
    _finish(invoice, refund, evidence="", final_at=at, actor=actor, at=at)


@unit_of_work
def finish_refund(refund_id: int, *, evidence: str, final_at: datetime, actor: Actor, at: datetime) -> Refund:
    """The outside confirmed that the money went back; `final_at` becomes the invoice's refund_date (domain.md 2.4).

    A second confirmation changes nothing. Raises NoSuchRefund, IllegalRefundMove when it is not under way,
    RefundCallOpen while the gateway may still do it itself, and EvidenceMissing.
    """
    invoice, refund = lock_refund(refund_id)
    _require_no_open_call(refund)
    finish_locked(invoice, refund, evidence=evidence, final_at=final_at, actor=actor, at=at)
    return refund


@inside_unit_of_work
def finish_locked(
    invoice: Invoice, refund: Refund, *, evidence: str, final_at: datetime, actor: Actor, at: datetime
) -> None:
    """As finish_refund, with both rows locked."""
    if refund.status == RefundStatus.PROCESSED:
        return
    if not evidence.strip():
        message = "Give what proves that the money went back: a reference of the bank, the gateway or the file."
        raise EvidenceMissing(message, errors=(FieldError("evidence", "required", message),))
    _finish(invoice, refund, evidence=evidence.strip(), final_at=final_at, actor=actor, at=at)


@unit_of_work
def refuse_refund(refund_id: int, *, error: str, actor: Actor, at: datetime) -> Refund:
    """The outside refused to give the money back: the invoice is as before, and a refund may be asked for again.

    Raises NoSuchRefund, IllegalRefundMove, and RefundCallOpen while the gateway may still give it back.
    """
    invoice, refund = lock_refund(refund_id)
    _require_no_open_call(refund)
    refuse_locked(invoice, refund, error=error, actor=actor, at=at)
    return refund


@inside_unit_of_work
def refuse_locked(invoice: Invoice, refund: Refund, *, error: str, actor: Actor, at: datetime) -> None:
    """As refuse_refund, with both rows locked."""
    if refund.status == RefundStatus.REFUSED:
        return
    refund.gl_error = error[:250]
    _end(invoice, refund, RefundStatus.REFUSED, "refund.refused-outside", actor=actor, reason=error, at=at)


@inside_unit_of_work
def decline(invoice: Invoice, refund: Refund, *, actor: Actor, reason: str, at: datetime) -> None:
    """A second person, or the time, said no: what the refund held may be refunded otherwise."""
    note_decision(refund, actor=actor, at=at)
    refund.decline_reason = reason
    _end(invoice, refund, RefundStatus.DECLINED, "refund.declined", actor=actor, reason=reason, at=at)


def note_decision(refund: Refund, *, actor: Actor, at: datetime) -> None:
    """Writes who decided and when; the caller saves."""
    refund.decided_by_kind, refund.decided_by, refund.decided_at = actor.kind.value, actor.name, at


@inside_unit_of_work
def lock_refund(refund_id: int) -> tuple[Invoice, Refund]:
    """The refund and its invoice, locked in the order of every write: the invoice first. Raises NoSuchRefund."""
    found = Refund.objects.filter(pk=refund_id).values_list("invoice_id", flat=True).first()
    if found is None:
        raise NoSuchRefund(f"There is no refund {refund_id}.")
    invoice = lock_invoice(found)
    refund = Refund.objects.lock([refund_id])[0]
    refund.invoice = invoice
    return invoice, refund


def _require_no_open_call(refund: Refund) -> None:
    under_way = refund.status == RefundStatus.PROCESSING
    if under_way and OutsideCall.objects.filter(refund=refund).exclude(status=CallStatus.REFUSED).exists():
        raise RefundCallOpen(f"The card gateway decides about {refund}.", ids=[refund.pk])


def _ask_outside(invoice: Invoice, refund: Refund, *, actor: Actor, at: datetime) -> None:
    collection = find_method(invoice.payment_method).collection
    if collection == Collection.CARD:
        queue_card_refund(invoice, refund, at=at)
    elif collection == Collection.PREPAID:
        announce_drawdown_refund(invoice, refund, at=at)
    change = {"refund": refund.pk, "amount": refund.amount}
    follow(invoice, "invoice.refund-under-way", actor=actor, at=at, reason=refund.reason, change=change)


def _finish(invoice: Invoice, refund: Refund, *, evidence: str, final_at: datetime, actor: Actor, at: datetime) -> None:
    refund._move_to(RefundStatus.PROCESSED, at=at)
    refund.evidence, refund.finished_at = evidence, at
    if not takes_back_money(invoice, RefundOutcome(refund.outcome)):
        # Its payment never came: what the outside turned back was the invoice, and no money went anywhere.
        refund.outcome = RefundOutcome.CANCEL.value
    refund.save()
    invoice.refund_date = final_at
    if refund.outcome == RefundOutcome.CANCEL:
        invoice.cancelled_at = at
        invoice.lines.update(status=LineStatus.CANCELLED)
        turn_references(invoice, ReferenceStatus.CANCELLED, among=ReferenceStatus.ACTIVE, at=at)
    after = {"status": refund.status, "evidence": evidence}
    record_entry(actor=actor, action="refund.processed", subject=refund, after=after, reason=refund.reason, at=at)
    change = {"refund": refund.pk, "amount": refund.amount, "outcome": refund.outcome}
    follow(invoice, "invoice.refunded", actor=actor, at=at, reason=refund.reason, change=change)
    announce_reversal(invoice, amount=refund.amount, refund_id=refund.pk, at=at)


def _end(
    invoice: Invoice, refund: Refund, target: RefundStatus, action: str, *, actor: Actor, reason: str, at: datetime
) -> None:
    refund._move_to(target, at=at)
    refund.save()
    _hold(invoice, refund.lines.all(), sign=-1)
    record_entry(actor=actor, action=action, subject=refund, after={"status": refund.status}, reason=reason, at=at)
    follow(invoice, "invoice.refund-ended", actor=actor, at=at, reason=reason, change={"refund": refund.pk})


def _hold(invoice: Invoice, parts: Iterable[RefundLine], *, sign: int) -> None:
    lines = {line.pk: line for line in InvoiceLine.objects.lock(invoice.pk)}
    for part in parts:
        lines[part.line_id]._hold(FeeType(part.fee_type), sign * part.amount)
    for line in lines.values():
        line.save()
